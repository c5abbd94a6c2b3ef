//! The `transfer` command: a run's frozen features on another data set, by a linear classifier or, where images have several labels,
//! by support vector machines.

use super::figures::{line, print};
use super::linear::{print_exact, print_sgd};
use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{FeatureLayer, FeatureOptions, SgdProtocol};
use barlow_engine::protocols::{EvaluationRequest, transfer_head, transfer_linear, transfer_svm};

const SHOWN: [(&str, &str); 2] = [("map", "mAP"), ("map_11_point", "11 points")];

/// The classifier.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Logistic regression, for one label per image.
    Linear,
    /// A linear layer behind a trained batch norm, by SGD; one protocol per layer.
    Head(Vec<SgdProtocol>),
    /// A support vector machine per class, for several.
    Svm,
}

/// Evaluates with every way to take features and prints the accuracy.
///
/// # Errors
/// As [`transfer_linear`], [`transfer_head`] and [`transfer_svm`].
pub fn run(request: &EvaluationRequest, task: &Task, features: &[FeatureOptions]) -> Result<(), RunError> {
    if let Task::Head(protocols) = task {
        for protocol in protocols {
            print_features(protocol.layer, "crop", protocols.len());
            print_sgd(&transfer_head(request, protocol)?, protocol);
        }
        return Ok(());
    }
    for options in features {
        print_features(options.layer, options.resized(), features.len());
        if *task == Task::Linear {
            print_exact(&transfer_linear(request, options)?);
            continue;
        }
        print(&transfer_svm(request, options)?, &SHOWN, &|run| {
            for class in &run.trained[0].measured.detail.classes {
                let ap = class.ap.map_or("not defined".to_owned(), |ap| format!("{ap:.4}"));
                print_result(&format!("{:16} {ap}", class.name));
            }
            print_result(&line(&run.figures(), &SHOWN, &format!("step {}", run.step)));
        });
    }
    Ok(())
}

/// The features that the next lines are of, where there are several.
fn print_features(layer: FeatureLayer, resized: &str, count: usize) {
    if count > 1 {
        print_result(&format!("features {}, {resized}:", layer.name()));
    }
}
