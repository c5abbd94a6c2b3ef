//! Tests of whole pages: what must be present, and what must not.

use super::*;

/// A grey PNG of 2 × 2 pixels.
#[rustfmt::skip]
const PIXELS: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x00, 0x00, 0x00, 0x57, 0xdd, 0x52, 0xf8, 0x00, 0x00, 0x00, 0x0e, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xb0, 0xa9, 0x60, 0xd8, 0xf2, 0x01, 0x00, 0x05, 0x6a, 0x02, 0x59, 0x73, 0x92,
    0x1a, 0xdc, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

fn pictures(captions: &[&str]) -> Vec<Picture> {
    let picture = |caption: &&str| Picture {
        caption: (*caption).to_owned(),
        png: PIXELS.to_vec(),
    };
    captions.iter().map(picture).collect()
}

fn run(title: &str, start: f64, epochs: usize) -> ReportData {
    let steps = || (0..epochs * 20).map(|step| step as f64);
    let loss = |step: f64| start * (-step / 150.0).exp() + 71.0 + 12.0 * (step * 1.7).sin().powi(2);
    let last = (epochs * 20 - 1) as f64;
    let loss_chart = Curve {
        title: "Loss and its floor".into(),
        series: vec![
            Series::line("loss", steps().map(|s| (s, loss(s))).collect()),
            Series::reference("floor", vec![(0.0, 70.9), (last, 70.9)]),
        ],
        y_label: "loss".into(),
        x_label: "step".into(),
        log_y: true,
    };
    let terms = Curve {
        title: "Terms of the loss".into(),
        series: vec![
            Series::line("invariance", steps().map(|s| (s, 0.6 * loss(s))).collect()),
            Series::line(
                "0.0051 × redundancy reduction",
                steps().map(|s| (s, 0.4 * loss(s + 9.0))).collect(),
            ),
        ],
        y_label: "term".into(),
        x_label: "step".into(),
        log_y: false,
    };
    let knn = (0..epochs)
        .map(|e| (e as f64, 0.75 - 0.45 * (-(e as f64) / 8.0).exp()))
        .collect();
    let knn = Curve {
        title: "kNN accuracy".into(),
        series: vec![Series::line("kNN top-1", knn)],
        y_label: "top-1".into(),
        x_label: "epoch".into(),
        log_y: false,
    };
    let accuracy_row = |name: &str, untrained, trained| AccuracyRow {
        name: name.into(),
        untrained,
        trained,
    };
    ReportData {
        title: title.into(),
        config_toml: "[run]\nseed = 0\n\n[loss]\nlambda = 0.0051 # <b>\n".into(),
        summary: [
            ("kNN top-1", "74.81 %"),
            ("Loss", "83.2"),
            ("Loss / floor", "1.17"),
            ("View pairs/s", "412"),
            ("Backend", "cpu"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        before: "untrained".into(),
        curves: vec![loss_chart, terms, knn],
        views: vec![pictures(&["image", "view a", "view b"]); 3],
        accuracy: vec![
            accuracy_row("kNN top-1", Some(0.4125), Some(0.7481)),
            accuracy_row("linear top-1", Some(0.4512), Some(0.7925)),
            accuracy_row("linear top-5", None, Some(f64::NAN)),
        ],
        notes: vec!["Smoke run: <not> a result.".into()],
    }
}

/// Checks what holds for every page: balanced tags, no external resources, no scripts, an alternative text for every picture.
fn check(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    // Without the base64 data of the pictures, which may contain anything.
    let text: String = html
        .split("data:image/png;base64,")
        .map(|part| part.trim_start_matches(is_base64))
        .collect();
    for outside in [
        "http",
        "//",
        "<link",
        "<script",
        "@import",
        "url(",
        "<iframe",
        "javascript",
        "NaN",
        "inf ",
    ] {
        assert!(!text.contains(outside), "the page contains {outside:?}");
    }
    for tag in [
        "html",
        "head",
        "body",
        "main",
        "style",
        "figure",
        "figcaption",
        "svg",
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
        "pre",
        "code",
        "p",
        "b",
        "title",
        "text",
    ] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
    assert_eq!(html.matches("<img ").count(), html.matches(" alt=\"").count());
    assert_eq!(
        html.matches("role=\"img\"").count(),
        html.matches("aria-label=").count()
    );
}

fn is_base64(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+/=".contains(character)
}

/// `REPORT_SAMPLE=DIR cargo test -p barlow-report` saves the pages, for inspection.
fn save(name: &str, html: &str) {
    if let Some(folder) = std::env::var_os("REPORT_SAMPLE") {
        std::fs::write(std::path::Path::new(&folder).join(name), html).unwrap();
    }
}

#[test]
fn a_page_has_all_its_parts() {
    let html = render(&run("tiny & quick", 400.0, 30));
    check(&html);
    for part in [
        "<title>tiny &amp; quick</title>",
        "<dt>Loss / floor</dt><dd>1.17</dd>",
        "<th scope=\"row\">kNN top-1</th><td>41.25 %</td><td><b>74.81 %</b></td><td>+33.56</td>",
        "<th scope=\"row\">linear top-5</th><td>–</td><td><b>–</b></td><td>–</td>",
        "Smoke run: &lt;not&gt; a result.",
        "lambda = 0.0051 # &lt;b&gt;",
        "<figcaption>Loss and its floor</figcaption>",
        "class=\"line c1 d0 reference\"",
        "alt=\"Image 3\"><figcaption>image</figcaption>",
        "alt=\"View b of image 3\"><figcaption>view b</figcaption>",
        "data:image/png;base64,iVBORw0KGgo",
    ] {
        assert!(html.contains(part), "missing: {part}");
    }
    assert_eq!(html.matches("<img ").count(), 9);
    save("one.html", &html);
}

#[test]
fn an_image_may_have_any_number_of_views() {
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
        views: vec![pictures(&captions), Vec::new(), pictures(&["image"])],
        ..ReportData::default()
    };
    let html = render(&run);
    check(&html);
    assert_eq!(html.matches("<img ").count(), 8);
    assert_eq!(html.matches("class=\"pictures\"").count(), 2);
    for part in [
        "alt=\"Global 1 of image 1\"",
        "alt=\"Local &lt;1&gt; of image 1\"><figcaption>local &lt;1&gt;</figcaption>",
        "alt=\"Local 4 of image 1\"",
        "alt=\"Image 3\"",
    ] {
        assert!(html.contains(part), "missing: {part}");
    }
    assert!(
        !render(&ReportData {
            views: vec![Vec::new()],
            ..run
        })
        .contains("<h2>")
    );
    save("multi-crop.html", &html);
}

#[test]
fn several_runs_share_their_charts() {
    let runs = [
        run("seed 0", 400.0, 30),
        run("seed 1", 300.0, 40),
        run("wide", 900.0, 20),
    ];
    let html = render_many(&runs);
    check(&html);
    assert_eq!(html.matches("class=\"chart\"").count(), 3);
    for part in [
        "<th scope=\"col\">wide</th>",
        "seed 1: loss",
        "wide: kNN top-1",
        "<h2 class=\"run\">seed 0</h2>",
    ] {
        assert!(html.contains(part), "missing: {part}");
    }
    // Three equal floors become one line, as long as the longest run.
    let (loss, looks) = &merged_curves(&runs)[0];
    let bounds: Vec<_> = loss.series.iter().filter(|series| series.reference).collect();
    assert_eq!(bounds.len(), 1);
    assert_eq!((bounds[0].name.as_str(), bounds[0].points[1]), ("floor", (799.0, 70.9)));
    assert_eq!(
        looks,
        &[
            Look::of_run(0, 0),
            Look::NEUTRAL,
            Look::of_run(1, 0),
            Look::of_run(2, 0)
        ]
    );
    save("many.html", &html);
}

#[test]
fn a_comparison_of_one_run_is_its_page() {
    let run = run("alone", 10.0, 2);
    assert_eq!(render_many(std::slice::from_ref(&run)), render(&run));
}

#[test]
fn an_empty_run_is_a_valid_page() {
    check(&render(&ReportData::default()));
    check(&render_many(&[]));
    check(&render_many(&[ReportData::default(), ReportData::default()]));
}
