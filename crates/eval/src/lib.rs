//! Evaluation of features: classification (weighted kNN, a linear probe) and collapse measures.
//!
//! Pure functions on host slices: no tensors, no files, no random numbers. No result depends on the number of threads. This
//! crate must not depend on Burn, so that every backend is evaluated by the same arithmetic.

mod collapse;
mod features;
mod knn;
mod lbfgs;
mod linear;
mod logistic;
mod sgd;
mod spectrum;

pub use collapse::{Collapse, spread_rows};
pub use features::Features;
pub use knn::{KnnConfig, KnnResult, knn};
pub use linear::{LinearConfig, LinearModel, LinearResult, linear_probe};
pub use sgd::{SgdCorrect, SgdHead, SgdHeads, SgdState};
pub use spectrum::spectrum;
