//! Evaluation: features of the labelled images, kNN and linear accuracy.

mod accuracy;
mod chunk;
mod evaluate;
mod feature_cache;
mod features;
mod host;
mod identity;
mod layer;
mod linear_choice;
mod linear_sgd;
mod multi_label;
mod network;
mod of_weights;
mod part;
mod watch;

pub use accuracy::{Accuracy, EvaluatedFeatures, ExactFit, LinearAccuracy, LinearProtocol};
pub use chunk::evaluation_chunk;
pub use evaluate::{L2, LinearWanted, Wanted, evaluate};
pub use feature_cache::FeatureCache;
pub use features::{Chunk, FeatureOptions, FeaturePass, LabelledFeatures};
pub(crate) use host::to_host;
pub use identity::{baseline_hash, network_hash};
pub use layer::FeatureLayer;
pub use linear_choice::{LinearChoice, linear_choice};
pub use linear_sgd::{EpochAccuracy, SgdProtocol, SgdResult, SgdSchedule, linear_sgd};
pub use multi_label::multi_label_svm;
pub(crate) use network::NetworkOnDevice;
pub use network::{Network, Rows};
pub use of_weights::{initial_weights_of, network_of};
pub use part::stratified_part;
pub use watch::{EvaluationError, Phase, Watch};
