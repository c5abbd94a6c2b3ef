//! Detection: a two-stage detector on a run's ResNet, trained and tested on a set with boxes and masks.
//!
//! What the networks compute is in `barlow-detect`, what is measured in `barlow-eval`; here are the recipe, the views, the training loop with
//! its checkpoints, and the detections of the test images.

mod batch;
mod found;
mod job;
mod load;
mod order;
mod pictures;
mod precise;
mod predict;
mod recipe;
mod recipe_check;
mod score;
mod target;
mod trainer;

pub use batch::{DetectionBatch, Skipped, TrainViews};
pub use found::{FoundObject, FoundSet};
pub use job::{DetectTask, DetectorJob, DetectorStart, TrainedDetector};
pub use load::{DETECT_RECIPES, load_detect_recipe};
pub use pictures::pictures;
pub use recipe::{
    DataSection, DetectRecipe, EvalSection, ModelSection, NormChoice, OptimizerSection, ProposalSection, SampleSection,
    TrainSection, ViewSection,
};
pub use score::{ClassScores, Scores, VocScores, score};
pub use trainer::train_detector;
