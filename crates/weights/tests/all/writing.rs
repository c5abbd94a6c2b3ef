//! What was written is read back: every type, every fixture, and the same bytes each time.

use std::collections::BTreeMap;

use barlow_weights::{Dtype, Format, OutTensor, RawTensor, Values, WeightsFile, write_pth, write_safetensors};

use crate::fixtures::open;

/// All tensors of a file, by name.
fn raw(file: &WeightsFile) -> BTreeMap<String, RawTensor> {
    let names = file.tensors().iter().map(|info| info.name.clone());
    names
        .map(|name| (name.clone(), file.read_raw(&name).unwrap()))
        .collect()
}

fn out(tensors: &BTreeMap<String, RawTensor>) -> Vec<OutTensor<'_>> {
    tensors
        .iter()
        .map(|(name, raw)| OutTensor {
            name,
            shape: &raw.shape,
            values: Values::Raw(raw.dtype, &raw.bytes),
        })
        .collect()
}

#[test]
fn every_fixture_survives_a_round_trip() {
    for name in ["zip.pth", "legacy.pth", "tar.pth", "types.safetensors"] {
        let mut tensors = raw(&open(name));
        let mut bytes = Vec::new();
        let metadata = BTreeMap::from([
            ("format".to_owned(), "pt".to_owned()),
            ("b".to_owned(), "ü\"".to_owned()),
        ]);
        write_safetensors(&mut bytes, &out(&tensors), &metadata).unwrap();
        let file = WeightsFile::from_bytes(bytes).unwrap();
        assert_eq!(file.metadata(), &metadata);
        assert_eq!(raw(&file), tensors, "{name} as safetensors");
        tensors.retain(|_, raw| raw.dtype.storage_class().is_some());
        let mut bytes = Vec::new();
        write_pth(&mut bytes, &out(&tensors)).unwrap();
        let file = WeightsFile::from_bytes(bytes).unwrap();
        assert_eq!(file.format(), Format::PthZip);
        assert_eq!(raw(&file), tensors, "{name} as .pth");
    }
}

#[test]
fn slices_of_floats_and_integers_are_written() {
    let floats: Vec<f32> = (0..200_000).map(|i| i as f32 / 3.0).collect();
    let tensors = [
        OutTensor {
            name: "weight",
            shape: &[400, 500],
            values: Values::F32(&floats),
        },
        OutTensor {
            name: "count",
            shape: &[],
            values: Values::I64(&[-7]),
        },
        OutTensor {
            name: "none",
            shape: &[0, 300],
            values: Values::F32(&[]),
        },
    ];
    let write = |pth: bool| {
        let mut bytes = Vec::new();
        match pth {
            true => write_pth(&mut bytes, &tensors).unwrap(),
            false => write_safetensors(&mut bytes, &tensors, &BTreeMap::new()).unwrap(),
        }
        bytes
    };
    for pth in [true, false] {
        let bytes = write(pth);
        assert_eq!(write(pth), bytes, "the same tensors give the same bytes");
        let file = WeightsFile::from_bytes(bytes).unwrap();
        let names: Vec<&str> = file.tensors().iter().map(|info| info.name.as_str()).collect();
        assert_eq!(names, ["weight", "count", "none"], "in the given order");
        assert_eq!(file.read_f32("weight").unwrap(), floats);
        assert_eq!(file.read_f32("count").unwrap(), [-7.0]);
        assert_eq!(file.info("count").unwrap().dtype, Dtype::I64);
        assert_eq!(file.info("none").unwrap().shape, [0, 300]);
    }
}

#[test]
fn nothing_at_all_is_a_file_too() {
    let mut bytes = Vec::new();
    write_pth(&mut bytes, &[]).unwrap();
    assert!(WeightsFile::from_bytes(bytes).unwrap().tensors().is_empty());
    let mut bytes = Vec::new();
    write_safetensors(&mut bytes, &[], &BTreeMap::new()).unwrap();
    assert!(WeightsFile::from_bytes(bytes).unwrap().tensors().is_empty());
}
