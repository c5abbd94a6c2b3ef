//! File lists: sets of images that are listed in a text file, such as SimCLR's 1 % and 10 % subsets of ImageNet.
//!
//! This file must contain only module declarations and re-exports.

mod error;
mod file_list;
mod grammar;
mod labels;

pub use error::ListError;
pub use file_list::FileList;
pub(crate) use grammar::looks_like_a_list;
pub use grammar::{BadLine, ListLine, parse_list};
