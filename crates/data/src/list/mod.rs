//! File lists: sets of images that are listed in a text file, such as SimCLR's 1 % and 10 % subsets of ImageNet.
//!
//! This file must contain only module declarations and re-exports.

mod columns;
mod error;
mod file_list;
mod grammar;
mod labels;
mod locate;
mod table;

pub use columns::ListColumns;
pub use error::ListError;
pub(crate) use file_list::names_files;
pub use file_list::{FileList, ListOptions};
pub(crate) use grammar::looks_like_a_list;
pub use grammar::{BadLine, ListLine, parse_list};
pub use table::{Table, TableRow, parse_table};
