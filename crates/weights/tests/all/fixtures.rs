//! The files of `tests/fixtures`, and the formula of their values (`make.py` beside them).

use std::path::PathBuf;

use barlow_weights::{Dtype, WeightsFile};

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub fn open(name: &str) -> WeightsFile {
    WeightsFile::open(path(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// A file of `fixtures/layouts`, whose name may be without `.safetensors`.
pub fn layout(name: &str) -> WeightsFile {
    let extension = if name.contains('.') { "" } else { ".safetensors" };
    open(&format!("layouts/{name}{extension}"))
}

/// The first `count` values of the tensor that make.py calls `name`.
pub fn values(name: &str, count: usize, dtype: Dtype) -> Vec<f32> {
    let value = |i: usize| (i * 7 + name.len()) as i32 % 31 - 15;
    let value = |i| match dtype {
        Dtype::Bool => f32::from(u8::from(value(i) > 0)),
        Dtype::U8 => (value(i) + 15) as f32,
        _ if dtype.is_float() => value(i) as f32 / 4.0,
        _ => value(i) as f32,
    };
    (0..count).map(value).collect()
}
