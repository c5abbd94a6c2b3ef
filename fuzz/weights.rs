//! As `readers.rs`, for the readers of weight files: calls them, and asserts what must hold whatever the bytes are.
//!
//! The fuzz targets and the replay of their corpora (crates/weights/tests/corpora) both include this file.

// Each fuzz target uses one of them.
#![allow(dead_code)]

use std::collections::HashSet;

use barlow_weights::{
    Dtype, ExportFormat, ExportModel, Format, Import, ImportOptions, ModelCard, ModelTensor, ProjectorImport,
    TensorInfo, WeightsFile, export, import, import_listing, inspect_json, inspect_text, recognise,
};

/// A target returns whether it accepted the bytes.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is also its corpus folder's.
pub const TARGETS: &[(&str, Target)] = &[("layout", layout), ("pth", pth), ("safetensors", safetensors)];

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
    if let Err(error) = import(&file, &ImportOptions::default()) {
        one_line(&error.to_string());
    }
    assert!(!inspect_text(&file, Default::default()).is_empty());
    assert_eq!(
        inspect_json(&file)["tensors"].as_array().map(Vec::len),
        Some(names.len())
    );
    formats.contains(&file.format())
}

/// Listings of tensors: a line for each, of its name, its type and its sizes, separated by spaces. Accepts those that are imported.
pub fn layout(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(name), Some(dtype)) = (words.next(), words.next()) else {
            continue;
        };
        let dtype = [Dtype::F32, Dtype::F64, Dtype::Bf16, Dtype::I64, Dtype::C64]
            .into_iter()
            .find(|known| known.safetensors_name() == dtype);
        let (Some(dtype), Ok(shape)) = (dtype, words.map(str::parse).collect::<Result<Vec<usize>, _>>()) else {
            continue;
        };
        // A file has no larger tensors.
        let bytes = shape
            .iter()
            .try_fold(dtype.bytes(), |bytes, &size| bytes.checked_mul(size.max(1)));
        if bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) && names.insert(name) {
            tensors.push(TensorInfo {
                name: name.to_owned(),
                shape,
                dtype,
                bytes: 0,
            });
        }
    }
    let plan = |projector| match import_listing(&tensors, &ImportOptions { projector }) {
        Ok(plan) => {
            planned(&plan, tensors.len());
            if projector == ProjectorImport::AsStored {
                exported(&plan);
            }
            true
        }
        Err(error) => {
            one_line(&error.to_string());
            false
        }
    };
    [ProjectorImport::Skip, ProjectorImport::Fit, ProjectorImport::AsStored].map(plan)[2]
}

/// Nothing is lost, and all texts are one line.
fn planned(plan: &Import, tensors: usize) {
    let used = plan.backbone.iter().chain(&plan.projector).flat_map(|tensor| {
        let minus = tensor.minus.as_ref();
        std::iter::once(&tensor.from).chain(minus)
    });
    let used: HashSet<&String> = used.collect();
    let ignored: usize = plan.ignored.iter().map(|ignored| ignored.tensors).sum();
    assert!(
        used.len() + ignored == tensors,
        "every tensor is imported, folded or ignored"
    );
    one_line(&plan.summary);
    plan.notes.iter().for_each(|note| one_line(note));
    plan.ignored.iter().for_each(|ignored| one_line(&ignored.to_string()));
    if let Err(error) = plan.settings() {
        one_line(&error.to_string());
    }
}

/// What was imported can be exported, or is refused in one line.
fn exported(plan: &Import) {
    let out = |tensor: &barlow_weights::ImportTensor| ModelTensor::borrowed(tensor.name.clone(), &tensor.shape, &[]);
    let model = ExportModel {
        architecture: plan.architecture.clone(),
        backbone: plan.backbone.iter().map(out).collect(),
        projector: plan.projector.iter().map(out).collect(),
        batches: 0,
        card: ModelCard::default(),
    };
    for format in [
        ExportFormat::Safetensors,
        ExportFormat::Timm,
        ExportFormat::Detectron2,
        ExportFormat::Onnx,
    ] {
        if let Err(error) = export(&model, format) {
            one_line(&error.to_string());
        }
    }
}

fn one_line(text: &str) {
    assert!(
        !text.is_empty() && text.len() < 3_000 && !text.contains(['\n', '\r']),
        "{text:?}"
    );
}
