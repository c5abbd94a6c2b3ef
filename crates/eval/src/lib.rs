//! Evaluation of features: classification (weighted kNN, linear probe, linear SVM), average precision, collapse measures; and of
//! detections: average precision of boxes and masks as VOC and COCO define it.
//!
//! Pure functions on host slices, or on rows that are read block by block ([`Rows`]): no tensors, no files, no random numbers.
//! No result depends on the number of threads. Whatever may be wrong with the data is an [`EvalError`]. This crate must not
//! depend on Burn, so that every backend is evaluated by the same arithmetic.

mod ap;
mod block;
mod choose;
mod collapse;
mod cost;
mod detection;
mod error;
mod features;
mod input;
mod knn;
mod lbfgs;
mod linear;
mod logistic;
mod maps;
mod mean_std;
mod moments;
mod neighbours;
mod product;
mod progress;
mod rank;
mod report;
mod rows;
mod sgd;
mod sgd_norm;
mod spectrum;
mod svm;
mod svm_fit;

pub use ap::{AveragePrecision, CurveAp, MeanAp, Presence, average_precision, curve_ap};
pub use choose::{L2Candidate, L2Choice, choose_l2};
pub use collapse::{Collapse, spread_rows};
pub use cost::{Cost, knn_cost, linear_cost};
pub use detection::{
    AreaRange, BoxRegion, CocoConfig, CocoDetection, CocoEvaluation, CocoObject, CocoSummary, MaskError, Region, Rle,
    VocAp, VocDetection, VocObject, box_iou, coco_evaluate, voc_detection_ap,
};
pub use error::{EvalError, Set};
pub use features::Features;
pub use knn::{KnnConfig, KnnResult, KnnScore, knn};
pub use linear::{LinearConfig, LinearModel, LinearResult, linear_probe};
pub use maps::{pca_map, tsne_map};
pub use mean_std::MeanStd;
pub use neighbours::{Metric, nearest_rows};
pub use progress::{Control, Progress, Stage, unattended};
pub use rank::rank;
pub use report::{ClassReport, ClassScore, ConfusionEntry};
pub use rows::Rows;
pub use sgd::{SgdCorrect, SgdHead, SgdHeads, SgdState};
pub use sgd_norm::SgdNormState;
pub use spectrum::spectrum;
pub use svm::{SvmClass, SvmConfig, SvmResult, linear_svm};
