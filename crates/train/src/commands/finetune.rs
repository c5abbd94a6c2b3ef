//! The `finetune` command: a run's network trained on a part of the labels, and the same network from scratch beside it.

use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::finetune::LabelledPart;
use barlow_engine::protocols::{FinetuneRequest, finetune, over_runs};

/// Fine-tunes and prints the accuracies.
///
/// # Errors
/// As [`finetune`].
pub fn run(request: &FinetuneRequest) -> Result<(), RunError> {
    let runs = finetune(request)?;
    for run in &runs {
        if runs.len() > 1 {
            print_result(&format!("{}:", run.run.display()));
        }
        for arm in &run.arms {
            let (images, top1) = (arm.labelled_images, arm.spread());
            let seeds = if top1.count > 1 { " seeds" } else { "" };
            let part = part(&arm.part);
            print_result(&format!(
                "{:12} {part} ({images} images): top-1 {top1}{seeds}",
                arm.start
            ));
        }
    }
    if runs.len() > 1 {
        for arm in over_runs(&runs) {
            print_result(&format!(
                "{:12} {}: top-1 {} runs",
                arm.start,
                part(&arm.part),
                arm.spread()
            ));
        }
    }
    Ok(())
}

fn part(part: &LabelledPart) -> String {
    match part {
        LabelledPart::Fraction(fraction) => format!("{} % of the labels", 100.0 * fraction),
        LabelledPart::Names(path) => path.display().to_string(),
    }
}
