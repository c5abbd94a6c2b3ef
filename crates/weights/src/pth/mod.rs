//! Readers of `.pth` files: the three containers in which torch has stored one pickle and many storages.

mod build;
mod legacy;
mod tarball;
mod zipped;

pub(crate) use legacy::{is_legacy, read_legacy};
pub(crate) use tarball::{is_tar, read_tar};
pub(crate) use zipped::read_zip;
