//! Parquet files of images, as Hugging Face shares them.
//!
//! An own reader of what such files use: the `parquet` crate takes half a minute to compile, and trusts sizes in the file.
//! This file must contain only module declarations and re-exports.

mod cache;
mod columns;
mod compression;
mod features;
mod levels;
mod metadata;
mod page;
mod set;
mod source;
mod thrift;
mod values;

pub use metadata::ParquetFile;
pub use set::ParquetSet;
