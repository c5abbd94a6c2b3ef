//! The `detect` command: detectors on a run's backbone, and the same from other starts beside them.

use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::protocols::{DetectArm, DetectRequest, detect};

/// Trains and tests detectors and prints their average precision.
///
/// # Errors
/// As [`detect`].
pub fn run(request: &DetectRequest) -> Result<(), RunError> {
    let runs = detect(request)?;
    for run in &runs {
        if runs.len() > 1 {
            print_result(&format!("{}:", run.run.display()));
        }
        for arm in &run.arms {
            print_arm(arm);
        }
        print_result(run.definition);
    }
    Ok(())
}

fn print_arm(arm: &DetectArm) {
    let [ap, ap50, ap75] = arm.spreads();
    let seeds = if ap.count > 1 { " seeds" } else { "" };
    let start = arm.start.name();
    print_result(&format!("{start:12} AP {ap}{seeds}, AP50 {ap50}, AP75 {ap75}"));
    let number = |ap: Option<f64>| ap.map_or("not defined".to_owned(), |ap| format!("{ap:.4}"));
    if arm.seeds.iter().any(|seed| seed.mask.is_some()) {
        let [ap, ap50, ap75] = [arm.mask_ap, arm.mask_ap50, arm.mask_ap75].map(number);
        print_result(&format!("{start:12} masks: AP {ap}, AP50 {ap50}, AP75 {ap75}"));
    }
    if let [seed] = &arm.seeds[..] {
        for class in &seed.boxes.classes {
            let ap50 = number(class.voc_ap50.or(class.ap50));
            print_result(&format!("{:12} {:16} AP50 {ap50}", "", class.name));
        }
    }
}
