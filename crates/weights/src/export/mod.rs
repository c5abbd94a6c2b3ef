//! Export: a model's weights in the files that other programs read. Everything is checked before a byte is written, and each tensor
//! is read when it is written.

mod card;
mod checked;
mod detectron2;
mod error;
mod format;
mod model;
mod onnx;
mod plan;
mod timm;

pub use card::ModelCard;
pub use error::ExportError;
pub use format::ExportFormat;
pub use model::{ExportModel, ModelTensor};
pub use plan::{Export, export};
