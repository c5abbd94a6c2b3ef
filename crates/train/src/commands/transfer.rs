//! The `transfer` command: a run's frozen features on another data set, by a linear classifier or, where images have several labels,
//! by support vector machines.

use super::figures::{line, print};
use super::linear::print_exact;
use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::L2;
use barlow_engine::protocols::{EvaluationRequest, transfer_linear, transfer_svm};

const SHOWN: [(&str, &str); 2] = [("map", "mAP"), ("map_11_point", "11 points")];

/// The classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Logistic regression, for one label per image.
    Linear,
    /// A support vector machine per class, for several.
    Svm,
}

/// Evaluates and prints the accuracy.
///
/// # Errors
/// As [`transfer_linear`] and [`transfer_svm`].
pub fn run(request: &EvaluationRequest, task: Task) -> Result<(), RunError> {
    if task == Task::Linear {
        print_exact(&transfer_linear(request, L2::Chosen)?);
        return Ok(());
    }
    print(&transfer_svm(request)?, &SHOWN, &|run| {
        for class in &run.trained[0].measured.detail.classes {
            let ap = class.ap.map_or("not defined".to_owned(), |ap| format!("{ap:.4}"));
            print_result(&format!("{:16} {ap}", class.name));
        }
        print_result(&line(&run.figures(), &SHOWN, &format!("step {}", run.step)));
    });
    Ok(())
}
