//! Features as files: representations or embeddings of every image of a folder, for other programs.
//!
//! `embed.rs` computes them; one file each knows a format and implements [`FeatureWriter`].

#[expect(clippy::module_inception, reason = "the function that the module is named after")]
mod embed;
mod format;
mod npy;
mod parquet;
mod table;
mod writer;

pub use embed::{EmbedRequest, Embedded, Layer, embed};
pub use format::{FeatureFormat, FeatureFormatError, feature_writer};
pub use writer::{FeatureRow, FeatureWriter};
