//! Weight files: PyTorch's `.pth` and safetensors, read on demand and written; imports from other programs' layouts, and exports to
//! their formats.
//!
//! [`WeightsFile`] opens a file of any of these formats, lists its contents and reads single tensors; [`recognise`] detects the
//! layout of common trainers and maps its names to torchvision's (ResNets) or timm's (vision transformers). [`import`] checks that a
//! file holds a whole network and reports what of it is not used; [`export`] writes a model for PyTorch, timm, detectron2 or as an ONNX
//! graph; [`write_pth`] and [`write_safetensors`] write any tensors. No code in a file is ever executed: a pickle is data here, and
//! whatever is not a tensor, number, text, dict or list is an opaque value with the name of its class.
//!
//! This crate must not depend on Burn: it knows names, shapes and values.
//!
//! ```
//! use barlow_weights::{OutTensor, Values, WeightsFile, write_pth};
//!
//! let tensor = OutTensor {
//!     name: "fc.weight",
//!     shape: &[2, 3],
//!     values: Values::F32(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
//! };
//! let mut bytes = Vec::new();
//! write_pth(&mut bytes, &[tensor])?;
//! let file = WeightsFile::from_bytes(bytes)?;
//! assert_eq!(file.tensors()[0].shape, [2, 3]);
//! assert_eq!(file.read_f32("fc.weight")?[5], 6.0);
//! # Ok::<(), barlow_weights::WeightsError>(())
//! ```

mod contents;
mod dtype;
mod error;
mod export;
mod file;
mod import;
mod inspect;
mod layout;
mod pickle;
mod pth;
mod safetensors;
mod source;
mod stored;
mod tree;
mod write;
mod zip;

pub use contents::Format;
pub use dtype::Dtype;
pub use error::{Fault, WeightsError};
pub use export::{Export, ExportError, ExportFormat, ExportModel, ModelCard, ModelTensor, export};
pub use file::{RawTensor, TensorInfo, WeightsFile};
pub use import::{
    Ignored, Import, ImportError, ImportFault, ImportOptions, ImportTensor, ModelSettings, ProjectorImport,
    ProjectorLayer, ProjectorNorm, ShapeMismatch, import, import_listing,
};
pub use inspect::{InspectOptions, inspect_json, inspect_text};
pub use layout::{Architecture, Layout, Mapped, Origin, ResNetShape, VitShape, recognise};
pub use tree::Tree;
pub use write::{LazyValues, OutTensor, Values, write_pth, write_safetensors};
