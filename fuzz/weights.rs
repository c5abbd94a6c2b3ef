//! As `readers.rs`, for the readers of weight files: calls them, and asserts what must hold whatever the bytes are.
//!
//! The fuzz targets and the replay of their corpora (crates/weights/tests/corpora) both include this file.

// Each fuzz target uses one of them.
#![allow(dead_code)]

use std::collections::HashSet;

use barlow_weights::{Format, WeightsFile, inspect_json, inspect_text, recognise};

/// A target returns whether it accepted the bytes.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is also its corpus folder's.
pub const TARGETS: &[(&str, Target)] = &[("pth", pth), ("safetensors", safetensors)];

/// Largest tensor that is read: one that repeats its values may be larger than its file.
const READ: u64 = 1 << 16;

/// `.pth` files: zip archives, legacy streams and tar archives.
pub fn pth(bytes: &[u8]) -> bool {
    open(bytes, &[Format::PthZip, Format::PthLegacy, Format::PthTar])
}

/// `.safetensors` files.
pub fn safetensors(bytes: &[u8]) -> bool {
    open(bytes, &[Format::Safetensors])
}

fn open(bytes: &[u8], formats: &[Format]) -> bool {
    let file = match WeightsFile::from_bytes(bytes) {
        Ok(file) => file,
        Err(error) => {
            one_line(&error.to_string());
            return false;
        }
    };
    let names: HashSet<&str> = file.tensors().iter().map(|info| info.name.as_str()).collect();
    assert_eq!(names.len(), file.tensors().len(), "names are unique");
    for info in file.tensors().iter().filter(|info| info.bytes <= READ) {
        let values = info.shape.iter().product::<usize>();
        let raw = file.read_raw(&info.name).expect("what was opened can be read");
        assert_eq!((&raw.shape, raw.dtype), (&info.shape, info.dtype));
        assert_eq!(raw.bytes.len() as u64, info.bytes);
        match file.read_f32(&info.name) {
            Ok(read) => assert_eq!(read.len(), values),
            Err(error) => {
                assert!(!info.dtype.is_real());
                one_line(&error.to_string());
            }
        }
    }
    if let Some(layout) = recognise(file.tensors()) {
        let parts = layout.backbone.len() + layout.projector.len() + layout.left_over.len();
        assert_eq!(parts, file.tensors().len(), "no tensor is lost");
    }
    assert!(!inspect_text(&file, Default::default()).is_empty());
    assert_eq!(
        inspect_json(&file)["tensors"].as_array().map(Vec::len),
        Some(names.len())
    );
    formats.contains(&file.format())
}

fn one_line(text: &str) {
    assert!(
        !text.is_empty() && text.len() < 1_000 && !text.contains(['\n', '\r']),
        "{text:?}"
    );
}
