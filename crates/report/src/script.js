"use strict";
// Adds to the page what needs a pointer: cards on the map and in the gallery, and filters. Without it everything can be read.
(() => {
  const errors = [];
  addEventListener("error", event => errors.push(String(event.message)));
  addEventListener("securitypolicyviolation", event => errors.push("blocked: " + event.blockedURI));

  const make = (name, parent, text) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // The card: an enlarged thumbnail with a text, beside the place that was touched.
  const card = document.getElementById("card");
  const hide = () => {
    card.hidden = true;
    document.querySelectorAll(".point.near").forEach(point => point.classList.remove("near"));
  };
  const show = (x, y, column, row, text) => {
    card.replaceChildren();
    const picture = make("div", card);
    picture.className = "thumb";
    picture.style.setProperty("--x", column);
    picture.style.setProperty("--y", row);
    make("div", card, text);
    card.hidden = false;
    const box = card.getBoundingClientRect();
    const gap = 14;
    const left = x + gap + box.width > innerWidth ? x - gap - box.width : x + gap;
    const top = y + gap + box.height > innerHeight ? y - gap - box.height : y + gap;
    card.style.left = Math.max(4, Math.min(left, innerWidth - box.width - 4)) + "px";
    card.style.top = Math.max(4, Math.min(top, innerHeight - box.height - 4)) + "px";
  };
  addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { passive: true });

  // Maps: the nearest point within reach of a finger; the arrow keys go from point to point.
  const probe = make("span", document.body);
  probe.className = "thumb";
  probe.hidden = true;
  const columns = Number(getComputedStyle(probe).getPropertyValue("--columns")) || 1;
  probe.remove();
  const showPoint = point => {
    hide();
    const box = point.getBoundingClientRect();
    const thumbnail = Number(point.dataset.t);
    point.classList.add("near");
    const text = point.querySelector("title").textContent;
    show(box.left + box.width / 2, box.top + box.height / 2, thumbnail % columns, Math.floor(thumbnail / columns), text);
  };
  document.querySelectorAll("figure.map").forEach(figure => {
    const svg = figure.querySelector("svg");
    const points = [...svg.querySelectorAll(".point")];
    let places = null;
    const nearest = (x, y, reach) => {
      const now = svg.getBoundingClientRect();
      if (!places || places.width !== now.width) {
        const centre = point => {
          const box = point.getBoundingClientRect();
          return [point, box.left + box.width / 2 - now.left, box.top + box.height / 2 - now.top];
        };
        places = { width: now.width, all: points.map(centre) };
      }
      let best = null, least = reach * reach;
      for (const [point, left, top] of places.all) {
        const distance = (left + now.left - x) ** 2 + (top + now.top - y) ** 2;
        const isShown = !figure.classList.contains("chosen") || point.classList.contains("on");
        if (isShown && distance < least) [best, least] = [point, distance];
      }
      return best;
    };
    const touch = reach => event => {
      const point = nearest(event.clientX, event.clientY, reach);
      if (point) showPoint(point); else hide();
    };
    svg.addEventListener("pointermove", event => { if (event.pointerType === "mouse") touch(8)(event); });
    svg.addEventListener("click", touch(24));
    svg.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") hide(); });
    svg.setAttribute("tabindex", "0");
    let at = -1;
    svg.addEventListener("keydown", event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step || !points.length) return;
      event.preventDefault();
      const isShown = point => !figure.classList.contains("chosen") || point.classList.contains("on");
      for (let tries = 0; tries < points.length; tries++) {
        at = (at + step + points.length) % points.length;
        if (isShown(points[at])) break;
      }
      showPoint(points[at]);
    });
    svg.addEventListener("blur", hide);
    // A class can be chosen: the others fade.
    const classes = new Map();
    for (const point of points) {
      const key = [...point.classList].find(name => name.startsWith("k"));
      if (!classes.has(key)) classes.set(key, point.querySelector("title").textContent.split(/ ✓ | ✗ |, predicted as /)[0]);
    }
    const controls = document.createElement("div");
    controls.className = "controls";
    const label = make("label", controls, "Class ");
    const select = make("select", label);
    make("option", select, "all").value = "";
    [...classes].sort((a, b) => a[0].slice(1) - b[0].slice(1)).forEach(([key, name]) => {
      make("option", select, name.length > 40 ? name.slice(0, 39) + "…" : name).value = key;
    });
    select.addEventListener("change", () => {
      hide();
      figure.classList.toggle("chosen", select.value !== "");
      points.forEach(point => point.classList.toggle("on", point.classList.contains(select.value || "none")));
    });
    svg.before(controls);
  });

  // Gallery: cards for all thumbnails, and a filter.
  document.querySelectorAll("span.thumb").forEach(thumb => {
    const open = () => {
      hide();
      const box = thumb.getBoundingClientRect();
      const style = thumb.style;
      show(box.right - 10, box.bottom - 10, style.getPropertyValue("--x"), style.getPropertyValue("--y"), thumb.getAttribute("aria-label"));
    };
    thumb.addEventListener("click", open);
    thumb.addEventListener("focus", open);
    thumb.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") open(); });
    thumb.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") hide(); });
    thumb.addEventListener("blur", hide);
  });
  const gallery = document.querySelector(".gallery");
  if (gallery && gallery.querySelector(".missed")) {
    const controls = document.createElement("div");
    controls.className = "controls";
    const label = make("label", controls);
    const box = make("input", label);
    box.type = "checkbox";
    label.append(" only those that are classified wrongly");
    box.addEventListener("change", () => { hide(); gallery.classList.toggle("wrong-only", box.checked); });
    gallery.before(controls);
  }
  addEventListener("beforeprint", () => { hide(); document.querySelectorAll("details").forEach(details => { details.open = true; }); });

  // `#selftest`: uses every control once and writes the outcome into the document, for the browser test.
  const selfTest = () => {
    const outcome = { map: [], gallery: 0, filter: null, classes: null };
    for (const figure of document.querySelectorAll("figure.map")) {
      const point = figure.querySelector(".point");
      const box = point.getBoundingClientRect();
      const place = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true };
      figure.querySelector("svg").dispatchEvent(new MouseEvent("click", place));
      outcome.map.push(!card.hidden && card.textContent.length > 0 && card.querySelector(".thumb") !== null);
      const select = figure.querySelector("select");
      select.value = select.options[1].value;
      select.dispatchEvent(new Event("change"));
      const [on, all] = [figure.querySelectorAll(".point.on").length, figure.querySelectorAll(".point").length];
      outcome.classes = on > 0 && on < all && figure.classList.contains("chosen");
      select.value = "";
      select.dispatchEvent(new Event("change"));
    }
    hide();
    for (const thumb of document.querySelectorAll("span.thumb")) {
      thumb.dispatchEvent(new MouseEvent("click", { bubbles: true }));
      if (!card.hidden && card.textContent === thumb.getAttribute("aria-label")) outcome.gallery++;
      hide();
    }
    const filter = document.querySelector("input[type=checkbox]");
    if (filter) {
      filter.click();
      const hidden = [...gallery.children].filter(row => getComputedStyle(row).display === "none").length;
      filter.click();
      outcome.filter = hidden === gallery.querySelectorAll(".neighbours:not(.missed)").length;
    }
    outcome.width = innerWidth;
    outcome.wide = document.documentElement.scrollWidth > innerWidth;
    outcome.loaded = performance.getEntriesByType("resource").map(entry => entry.name).filter(name => !name.startsWith("data:"));
    outcome.errors = errors;
    outcome.opened = Math.round(performance.now());
    document.documentElement.dataset.selftest = JSON.stringify(outcome);
    // The test of a narrow page stands in a frame of its own page.
    if (parent !== window) parent.postMessage(JSON.stringify(outcome), "*");
  };
  if (location.hash === "#selftest") addEventListener("load", () => setTimeout(selfTest));
})();
