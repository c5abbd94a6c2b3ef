//! The page of a detection, `eval/detect.html`: the starts side by side, classes and sizes, curves, and pictures of the first start.

use super::detect_arm::DetectArm;
use super::figures::Spread;
use crate::detect::{ClassScores, FoundSet, Scores, pictures};
use anyhow::Result;
use barlow_data::DetectionSet;
use barlow_report::{Curve, DetectPage, DetectTable, Series, detect_page};

/// Most pictures on a page.
const PICTURES: usize = 8;

/// The page of the detectors of a run; `facts` are names and values.
///
/// # Errors
/// If the first start's detections cannot be read.
pub(super) fn page(
    title: String,
    definition: &str,
    arms: &[DetectArm],
    test: &DetectionSet,
    facts: Vec<(String, String)>,
    notes: Vec<String>,
) -> Result<String> {
    let first = arms.first().and_then(|arm| Some((arm, arm.seeds.first()?)));
    let mut tables = vec![starts(arms)];
    let (mut curves, mut shown, mut note) = (Vec::new(), Vec::new(), String::new());
    if let Some((arm, seed)) = first {
        let of = |what: &str| format!("{what}, {} (seed {})", arm.start.name(), seed.seed);
        tables.push(sizes(&of("By size"), &seed.boxes, seed.mask.as_ref()));
        tables.push(classes(&of("Boxes by class"), &seed.boxes.classes));
        curves.extend(precision(&of("Boxes"), &seed.boxes.classes));
        if let Some(mask) = &seed.mask {
            tables.push(classes(&of("Masks by class"), &mask.classes));
            curves.extend(precision(&of("Masks"), &mask.classes));
        }
        let found = FoundSet::read(test, &seed.run.join("detections.json"))?;
        shown = pictures(test, &found, PICTURES);
        note = format!(
            "Test images, spread evenly over the set, with the detections of the {} network whose score is at least 0.5; a detection is \
             correct if it overlaps an object of its class by at least one half. Detected masks are coloured, annotated ones have a white \
             edge.",
            arm.start.name()
        );
    }
    Ok(detect_page(&DetectPage {
        title,
        definition: definition.to_owned(),
        tables,
        curves,
        pictures: shown,
        pictures_note: note,
        facts,
        notes,
    }))
}

fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{:.1}", 100.0 * value))
}

fn percent(spread: Spread) -> String {
    match (spread.mean, spread.std) {
        (Some(mean), Some(std)) => format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * std),
        (mean, _) => number(mean),
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// Every start over its seeds.
fn starts(arms: &[DetectArm]) -> DetectTable {
    let with_masks = arms.iter().any(|arm| arm.mask_ap.is_some());
    let mut header = texts(["start", "AP", "AP50", "AP75"]);
    if with_masks {
        header.extend(texts(["mask AP", "mask AP50", "mask AP75"]));
    }
    header.extend(texts(["seeds", "minutes"]));
    let row = |arm: &DetectArm| {
        let mut row = vec![arm.start.name().to_owned()];
        row.extend(arm.spreads().map(percent));
        if with_masks {
            row.extend([arm.mask_ap, arm.mask_ap50, arm.mask_ap75].map(number));
        }
        let minutes = arm.seeds.iter().map(|seed| seed.seconds / 60.0).sum::<f64>();
        row.push(arm.seeds.len().to_string());
        row.push(format!("{minutes:.1}"));
        row
    };
    DetectTable {
        title: "Average precision in percent, mean and standard deviation over the seeds".to_owned(),
        header,
        rows: arms.iter().map(row).collect(),
    }
}

/// COCO's average precision by size.
fn sizes(title: &str, boxes: &Scores, mask: Option<&Scores>) -> DetectTable {
    let row = |name: &str, scores: &Scores| {
        let numbers = [
            scores.ap,
            scores.ap_small,
            scores.ap_medium,
            scores.ap_large,
            scores.ar1,
            scores.ar10,
            scores.ar100,
        ];
        std::iter::once(name.to_owned()).chain(numbers.map(number)).collect()
    };
    let mut rows: Vec<Vec<String>> = vec![row("boxes", boxes)];
    rows.extend(mask.map(|mask| row("masks", mask)));
    DetectTable {
        title: format!("{title}: COCO's average precision and recall in percent"),
        header: texts(["", "AP", "below 32²", "32² to 96²", "above 96²", "AR1", "AR10", "AR100"]),
        rows,
    }
}

fn classes(title: &str, classes: &[ClassScores]) -> DetectTable {
    let has_voc = classes.iter().any(|class| class.voc_ap50.is_some());
    let mut header = texts(["class", "objects", "detections", "AP", "AP50", "AP75"]);
    header.extend(has_voc.then(|| "VOC AP50, 11 points".to_owned()));
    let row = |class: &ClassScores| {
        let mut row = vec![
            class.name.clone(),
            class.objects.to_string(),
            class.detections.to_string(),
        ];
        row.extend([class.ap, class.ap50, class.ap75].map(number));
        row.extend(has_voc.then(|| number(class.voc_ap50)));
        row
    };
    DetectTable {
        title: format!("{title}, in percent"),
        header,
        rows: classes.iter().map(row).collect(),
    }
}

/// Precision over recall at .50 and at .75; of many classes, those with the most objects.
fn precision(title: &str, classes: &[ClassScores]) -> Vec<Curve> {
    /// More lines cannot be told apart.
    const MOST: usize = 6;
    let mut shown: Vec<&ClassScores> = classes.iter().filter(|class| !class.precision50.is_empty()).collect();
    shown.sort_by_key(|class| std::cmp::Reverse(class.objects));
    shown.truncate(MOST);
    let curve = |overlap: &str, of: fn(&ClassScores) -> &Vec<f64>, ap: fn(&ClassScores) -> Option<f64>| Curve {
        title: format!("{title}, overlap {overlap}"),
        series: shown
            .iter()
            .map(|class| {
                let last = of(class).len().saturating_sub(1).max(1) as f64;
                let points = of(class).iter().enumerate();
                Series::line(
                    format!("{} (AP {})", class.name, number(ap(class))),
                    points.map(|(at, &precision)| (at as f64 / last, precision)).collect(),
                )
            })
            .collect(),
        y_label: "precision".to_owned(),
        x_label: "recall".to_owned(),
        log_y: false,
    };
    if shown.is_empty() {
        return Vec::new();
    }
    vec![
        curve(".50", |class| &class.precision50, |class| class.ap50),
        curve(".75", |class| &class.precision75, |class| class.ap75),
    ]
}
