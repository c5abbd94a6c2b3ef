//! Fine-tuning: a supervised run from given weights, or from none, on a part of the labels, and its accuracy on the test images.

mod accuracy;
mod settings;

pub use accuracy::{ClassifierAccuracy, classifier_accuracy};
pub use settings::{FinetuneSchedule, FinetuneSettings, LabelledPart, finetune_config};
