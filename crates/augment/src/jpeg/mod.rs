//! JPEG decoder: bytes to the pixels that libjpeg-turbo makes of them, and Pillow returns.
//!
//! This file must contain only module declarations and re-exports.

mod bits;
mod blocks;
mod decode;
mod frame;
mod huffman;
mod idct;
mod output;
mod scan;
mod segments;
mod standard_tables;
mod table_cache;

pub(crate) use decode::decode;
