//! Readers of `.safetensors` files and of the index of a sharded checkpoint.

mod header;
mod shards;

pub(crate) use header::{is_safetensors, read_safetensors};
pub(crate) use shards::{Shards, is_index, parse_index};
