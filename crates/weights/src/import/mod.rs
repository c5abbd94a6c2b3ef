//! Import: from the file of any recognised program to the names of this project's models, checked as a whole before a value is
//! read.

mod error;
mod ignored;
mod plan;
mod projector;
mod tensor;

pub use error::{ImportError, ImportFault, ShapeMismatch};
pub use ignored::Ignored;
pub(crate) use plan::{HEADS, STEM_PADDING};
pub use plan::{Import, ImportOptions, ModelSettings, ProjectorImport, import, import_listing};
pub(crate) use projector::layers_of;
pub use projector::{ProjectorLayer, ProjectorNorm};
pub use tensor::ImportTensor;
