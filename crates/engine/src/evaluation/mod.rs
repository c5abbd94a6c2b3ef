//! Evaluation: features of the labelled images, kNN and linear accuracy.

mod accuracy;
mod chunk;
mod evaluate;
mod features;
mod host;
mod identity;
mod linear_choice;
mod linear_sgd;
mod multi_label;
mod network;
mod of_weights;
mod part;
mod watch;

pub use accuracy::{Accuracy, ExactFit, LinearAccuracy, LinearProtocol};
pub use chunk::evaluation_chunk;
pub use evaluate::{L2, LinearWanted, Wanted, evaluate};
pub use features::{Chunk, FeaturePass, LabelledFeatures};
pub(crate) use host::to_host;
pub use identity::{baseline_hash, network_hash};
pub use linear_choice::{LinearChoice, linear_choice};
pub use linear_sgd::{EpochAccuracy, SgdProtocol, SgdResult, linear_sgd};
pub use multi_label::multi_label_svm;
pub(crate) use network::NetworkOnDevice;
pub use network::{Network, Rows};
pub use of_weights::network_of;
pub use part::stratified_part;
pub use watch::{EvaluationError, Phase, Watch};
