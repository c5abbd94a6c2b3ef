//! Memory test of reading: a tensor takes its own size and a window, a listing nothing, a hostile file a bounded amount. A
//! separate test binary, because it counts every byte that the process allocates.

// One counting allocator for the tests of both crates.
#[path = "../../../data/tests/allocations/mod.rs"]
mod allocations;

use std::sync::atomic::Ordering;

use allocations::{NOW, PEAK};
use barlow_weights::{
    Architecture, ExportFormat, ExportModel, ImportOptions, ModelCard, ModelTensor, OutTensor, ProjectorImport,
    ResNetShape, Values, WeightsFile, export, import, write_pth,
};

const MB: usize = 1_000_000;

/// The peak of bytes that `work` allocates, and its result.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = work();
    (result, PEAK.load(Ordering::Relaxed) - before)
}

const SHAPE: [usize; 2] = [1_000, 2_500];

/// A file of one 10 MB tensor and of many small ones, row-major or transposed.
fn written(transposed: bool) -> Vec<u8> {
    let values: Vec<f32> = (0..SHAPE[0] * SHAPE[1]).map(|at| at as f32).collect();
    let mut tensors = vec![OutTensor {
        name: "large",
        shape: &SHAPE,
        values: Values::F32(&values),
    }];
    let names: Vec<String> = (0..1_000).map(|number| format!("small.{number}")).collect();
    tensors.extend(names.iter().map(|name| OutTensor {
        name,
        shape: &[25],
        values: Values::F32(&values[..25]),
    }));
    let mut bytes = Vec::new();
    write_pth(&mut bytes, &tensors).unwrap();
    if transposed {
        // The strides (2500, 1) become (1, 1000).
        let strides = b"(J\xc4\x09\0\0K\x01t";
        let at = bytes.windows(strides.len()).position(|part| part == strides).unwrap();
        bytes[at..at + strides.len()].copy_from_slice(b"(K\x01J\xe8\x03\0\0t");
    }
    bytes
}

/// A ResNet-18 with a projector of two layers, of which the last has the largest tensor by far: 64 MB.
fn large() -> ExportModel<'static> {
    let architecture = Architecture::ResNet(ResNetShape {
        blocks: [2; 4],
        bottleneck: false,
        width: 8,
        in_channels: 3,
        stem_kernel: 7,
        stem_padding: 3,
        groups: 1,
        inner_width: 8,
        feature_dim: 64,
    });
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let len = shape.iter().product();
        ModelTensor::lazy(name, &shape, move || Ok(vec![0.25; len]))
    };
    let mut projector = vec![
        ("projector.0.weight".to_owned(), vec![4_000, 64]),
        ("projector.3.weight".to_owned(), vec![4_000, 4_000]),
    ];
    let norm = ["weight", "bias", "running_mean", "running_var"].map(|value| format!("projector.1.{value}"));
    projector.extend(norm.map(|name| (name, vec![4_000])));
    ExportModel {
        backbone: architecture.tensors().into_iter().map(tensor).collect(),
        projector: projector.into_iter().map(tensor).collect(),
        architecture,
        batches: 1,
        card: ModelCard::default(),
    }
}

/// Exports in every streamed format take the largest tensor and a tenth of it.
fn exports_are_streamed(folder: &std::path::Path) {
    let path = folder.join("large.pth");
    let made = large();
    export(&made, ExportFormat::Pth).unwrap().write_to(&path).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    let options = ImportOptions {
        projector: ProjectorImport::AsStored,
    };
    let (plan, planning) = peak(|| import(&file, &options).unwrap());
    assert!(planning < MB, "planning takes {planning} bytes");
    assert_eq!(plan.largest_tensor(), 64_000_000);
    for format in [ExportFormat::Safetensors, ExportFormat::Pth, ExportFormat::Onnx] {
        let (_, exporting) = peak(|| {
            let model = ExportModel::of_import(&file, &plan);
            export(&model, format).unwrap().write_to(&folder.join("out")).unwrap()
        });
        assert!(exporting < 70_400_000, "{format} takes {exporting} bytes");
    }
}

#[test]
fn memory_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    exports_are_streamed(folder.path());
    for transposed in [false, true] {
        let path = folder.path().join(format!("{transposed}.pth"));
        std::fs::write(&path, written(transposed)).unwrap();
        let (file, opening) = peak(|| WeightsFile::open(&path).unwrap());
        assert!(opening < 3 * MB, "opening takes {opening} bytes");
        let (values, reading) = peak(|| file.read_f32("large").unwrap());
        assert!(
            reading < 12 * MB,
            "reading takes {reading} bytes, transposed: {transposed}"
        );
        let expected = |row: usize, column: usize| match transposed {
            true => row + SHAPE[0] * column,
            false => SHAPE[1] * row + column,
        };
        for (row, column) in [(0, 0), (0, 1), (1, 0), (999, 2_499), (500, 1_234)] {
            assert_eq!(values[row * SHAPE[1] + column], expected(row, column) as f32);
        }
        drop(values);
        let (_, reading) = peak(|| file.read_raw("large").unwrap());
        assert!(
            reading < 12 * MB,
            "reading takes {reading} bytes, transposed: {transposed}"
        );
    }

    // A list of ten times the previous list, forty times over, as a legacy file.
    let mut bomb = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02]".to_vec();
    for level in 0..40u8 {
        bomb.extend([b'q', level, b'(']);
        bomb.extend([b'h', level].repeat(10));
        bomb.push(b'l');
    }
    bomb.extend(b".\x80\x02].");
    let (refused, opening) = peak(|| WeightsFile::from_bytes(bomb).is_err());
    assert!(refused && opening < 400 * MB, "a memo bomb takes {opening} bytes");
    for length in [1u64 << 63, 99_999_999] {
        let header = [&length.to_le_bytes()[..], b"{}"].concat();
        let (refused, opening) = peak(|| WeightsFile::from_bytes(header).is_err());
        assert!(
            refused && opening < MB,
            "a header of {length} bytes takes {opening} bytes"
        );
    }
}
