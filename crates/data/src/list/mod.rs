//! A set of images that a text file lists, such as the 1 % and 10 % subsets of ImageNet that SimCLR published.
//!
//! This file must hold nothing but the list of its parts.

mod error;
mod file_list;
mod grammar;
mod labels;

pub use error::ListError;
pub use file_list::FileList;
pub(crate) use grammar::looks_like_a_list;
pub use grammar::{BadLine, ListLine, parse_list};
