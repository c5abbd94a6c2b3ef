//! How well features tell classes apart (weighted kNN, a linear probe), and how much of their space they use.
//!
//! Pure functions on host slices: no tensors, no files, no random numbers; the result does not depend on the number of
//! threads. Must not depend on Burn, so that every backend is judged by the same arithmetic.

mod collapse;
mod features;
mod knn;
mod lbfgs;
mod linear;
mod logistic;
mod spectrum;

pub use collapse::{Collapse, spread_rows};
pub use features::Features;
pub use knn::{KnnConfig, KnnResult, knn};
pub use linear::{LinearConfig, LinearModel, LinearResult, linear_probe};
pub use spectrum::spectrum;
