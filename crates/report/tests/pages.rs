//! Whole pages and files: what must be present, and what must not. What needs a browser is in `cargo xtask browser-test`.

#[path = "../examples/page/sample.rs"]
mod sample;

use barlow_report::{Picture, ReportData, figures, render, render_many};

/// Checks what holds for every page: balanced tags, no external resources, an alternative text for every picture.
fn check(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"));
    // Without the base64 data of the pictures, which may contain anything, and without our script.
    let text: String = html
        .split("data:image/png;base64,")
        .map(|part| part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+/=".contains(c)))
        .collect();
    assert_eq!(text.matches("<script").count(), 1, "only the page's own script");
    let text = text.split("<script>").next().unwrap();
    for outside in [
        "http:",
        "https:",
        "//",
        "<link",
        "@import",
        "<iframe",
        "javascript",
        "NaN",
        "inf ",
        "<img src=\"/",
    ] {
        assert!(!text.contains(outside), "the page contains {outside:?}");
    }
    assert_eq!(text.matches("url(").count(), text.matches("url()").count(), "only data");
    for tag in [
        "main",
        "section",
        "style",
        "figure",
        "figcaption",
        "svg",
        "path",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "dl",
        "dt",
        "dd",
        "ul",
        "li",
        "div",
        "span",
        "details",
        "summary",
        "pre",
        "code",
        "p",
        "b",
        "bdi",
        "title",
        "text",
        "header",
    ] {
        let opened = text.matches(&format!("<{tag}>")).count() + text.matches(&format!("<{tag} ")).count();
        let closed = html
            .split("<script>")
            .next()
            .unwrap()
            .matches(&format!("</{tag}>"))
            .count();
        // The script stands in the body, before the end of what surrounds it.
        assert_eq!(opened, closed, "<{tag}>");
    }
    assert_eq!(text.matches("<img ").count(), text.matches(" alt=\"").count());
    assert_eq!(
        text.matches("role=\"img\"").count(),
        text.matches("aria-label=").count()
    );
    assert!(
        html.contains("default-src 'none'"),
        "a policy that forbids to load anything"
    );
}

#[test]
fn a_page_has_all_its_parts() {
    let html = render(&sample::run("tiny & quick", 200, 10, 0));
    check(&html);
    for part in [
        "<title>tiny &amp; quick</title>",
        "<dt>kNN top-1</dt><dd><b>89.00 %</b><span>untrained 55.50 % · +33.50</span>",
        "A note with &lt;markup&gt; &amp; more.",
        "lambda = 0.0051 # &lt;b&gt;",
        "<figcaption>Loss</figcaption>",
        "class=\"line c1 d0 reference\"",
        "alt=\"Image 3\"",
        "alt=\"View b of image 3\"",
        "C of the untrained network",
        "C of the trained network",
        "data-figure=\"map-tsne\"",
        "data-figure=\"map-pca\"",
        "All 200 test images.",
        "data-figure=\"gallery\"",
        "data-figure=\"confusion\"",
        "data-figure=\"class-accuracy\"",
        "Confused most",
        "What the network sees",
        "id=\"evaluations\"",
        "27 min 30 s",
        "from 164 to 168 each",
        "What differs from the recipe",
        "0123456789ab",
    ] {
        assert!(html.contains(part), "missing: {part}");
    }
}

#[test]
fn names_are_escaped_in_every_place() {
    let run = sample::run("<b>run</b>", 200, 10, 0);
    let html = render(&run);
    let svg: String = figures(&[run])
        .iter()
        .filter(|figure| figure.name.ends_with(".svg"))
        .map(|figure| String::from_utf8_lossy(&figure.bytes).into_owned())
        .collect();
    for text in [html.replace("<script>\"use strict\"", ""), svg] {
        assert!(!text.contains("<script>"), "a class name became markup");
        assert!(!text.contains("<b>run"));
        assert!(!text.contains(['\u{0}', '\u{7}']), "control characters");
    }
    assert!(html.contains("&lt;script&gt;alert('x')&lt;/script&gt;"));
    assert!(html.contains("&quot;quoted&quot; &amp; 'single'"));
}

#[test]
fn ten_thousand_images_and_a_thousand_classes_fit_into_five_megabytes() {
    for classes in [100, 1000] {
        let html = render(&sample::run("large", 10_000, classes, 1));
        check(&html);
        assert!(html.len() < 5_000_000, "{classes} classes: {} bytes", html.len());
        assert!(html.contains("1,000 of the 10,000 test images, with the same share of each class."));
    }
}

#[test]
fn several_runs_share_their_charts() {
    let mut runs: Vec<ReportData> = (0..3)
        .map(|seed| sample::run(&format!("seed {seed}"), 40, 10, seed))
        .collect();
    runs.extend((0..2).map(|seed| sample::run(&format!("wide {seed}"), 40, 10, seed + 5)));
    let html = render_many(&runs);
    check(&html);
    assert_eq!(html.matches("class=\"drawing chart\"").count(), 3);
    for part in [
        "<th scope=\"col\">wide 1</th>",
        "seed 1: loss",
        "<h2 class=\"run\">seed 0</h2>",
        "<td class=\"differs\">0.01</td>",
        "<th scope=\"row\">loss.lambda = 0.01</th><td>kNN top-1</td><td>2</td>",
        "89.40 ± 0.40 %",
    ] {
        assert!(html.contains(part), "missing: {part}");
    }
    assert!(!html.contains("model.width"), "equal in all runs");
    let one_each = render_many(&[runs[0].clone(), runs[3].clone()]);
    assert!(one_each.contains("Each setting has one run"));
    assert_eq!(
        render_many(&runs[..1]),
        render(&runs[0]),
        "a comparison of one run is its page"
    );
}

#[test]
fn an_image_may_have_any_number_of_views() {
    let png = sample::png(1, 1, &[0; 3]);
    let picture = |caption: &str| Picture {
        caption: caption.into(),
        png: png.clone(),
    };
    let captions = [
        "image",
        "global 1",
        "global 2",
        "local <1>",
        "local 2",
        "local 3",
        "local 4",
    ];
    let run = ReportData {
        views: vec![
            captions.iter().map(|caption| picture(caption)).collect(),
            Vec::new(),
            vec![picture("image")],
        ],
        ..ReportData::default()
    };
    let html = render(&run);
    check(&html);
    assert_eq!(html.matches("<img ").count(), 8);
    for part in [
        "alt=\"Global 1 of image 1\"",
        "alt=\"Local &lt;1&gt; of image 1\"",
        "alt=\"Image 3\"",
    ] {
        assert!(html.contains(part), "missing: {part}");
    }
    let names: Vec<String> = figures(&[run]).into_iter().map(|figure| figure.name).collect();
    assert!(names.contains(&"views-0-local-1.png".to_owned()), "{names:?}");
}

#[test]
fn an_empty_run_is_a_valid_page() {
    check(&render(&ReportData::default()));
    check(&render_many(&[]));
    check(&render_many(&[ReportData::default(), ReportData::default()]));
    assert_eq!(figures(&[ReportData::default()]), []);
}

#[test]
fn figures_are_files_that_need_nothing_else() {
    let files = figures(&[sample::run("one", 100, 10, 0)]);
    let names: Vec<&str> = files.iter().map(|figure| figure.name.as_str()).collect();
    for name in [
        "chart-loss.svg",
        "correlation-trained.svg",
        "map-tsne.svg",
        "map-pca.svg",
        "confusion.svg",
        "class-accuracy.svg",
        "gallery.svg",
        "views-5-view-b.png",
    ] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    for file in files.iter().filter(|file| file.name.ends_with(".svg")) {
        let text = std::str::from_utf8(&file.bytes).unwrap();
        assert!(
            text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""),
            "{}",
            file.name
        );
        assert!(
            !text.contains("var("),
            "{}: colours that only a page defines",
            file.name
        );
        assert_eq!(
            text.matches("<svg").count(),
            text.matches("</svg>").count(),
            "{}",
            file.name
        );
    }
}
