//! The evaluations of finished runs: kNN, linear classifiers, transfer to another data set, fine-tuning and
//! detection, each with its result in
//! `RUN/eval/NAME.json`. What is measured is in [`evaluation`](crate::evaluation) and `barlow-eval`; here are the runs, seeds and
//! files around it.

mod detect;
mod detect_arm;
mod detect_page;
mod figures;
mod finetune;
mod knn;
mod linear;
mod linear_sgd;
mod measure;
mod portrait;
mod provenance;
mod request;
mod svm;

pub use detect::{DetectRequest, RunDetected, detect};
pub use detect_arm::{DetectArm, DetectSeed};
pub use figures::{Figures, Spread, spreads};
pub use finetune::{ArmOverRuns, FinetuneArm, FinetuneRequest, FinetuneSeed, RunFinetuned, finetune, over_runs};
pub use knn::{KnnDetail, knn};
pub use linear::{ExactDetail, linear_exact, transfer_linear};
pub use linear_sgd::{SgdDetail, linear_by_sgd, transfer_head};
pub use measure::{Evaluated, Measured, OfSeed, RunEvaluated};
pub use portrait::portray_runs;
pub use provenance::Provenance;
pub use request::{EvaluatedRun, EvaluationRequest};
pub use svm::{SvmDetail, transfer_svm};
