//! One function for every reader of bytes: calls it, and asserts what must hold whatever the bytes are.
//!
//! The fuzz targets and the replay of their corpora (crates/data/tests/corpora) both include this file, so that what a
//! fuzzer found goes through the same checks in the ordinary tests. A reader never panics, its errors are one line, and
//! what it accepts is consistent.

// Each fuzz target uses one of them.
#![allow(dead_code)]

use std::fmt::Display;

use barlow_augment::{DecodeError, decode, decode_channels};
use barlow_data::{
    CacheIndex, CifarKind, IdxArray, IdxType, check_cifar_records, parse_annotation, parse_cifar_names, parse_index,
    parse_list,
};

/// A target returns whether it accepted the bytes.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is also its corpus folder's.
pub const TARGETS: &[(&str, Target)] = &[
    ("cifar", cifar),
    ("folder_index", folder_index),
    ("idx", idx),
    ("image", image),
    ("image_cache", image_cache),
    ("list", list),
    ("voc", voc),
];

/// JPEG and PNG files.
pub fn image(bytes: &[u8]) -> bool {
    let rgb = decode(bytes).map_err(one_line);
    for channels in [1, 3, 4] {
        match (&rgb, decode_channels(bytes, channels).map_err(one_line)) {
            (Ok(rgb), Ok(image)) => {
                assert_eq!((image.width(), image.height()), (rgb.width(), rgb.height()));
                assert_eq!(image.channels(), channels);
                assert_eq!(image.pixels().len(), rgb.width() * rgb.height() * channels);
            }
            (Err(()), Err(())) => {}
            (rgb, image) => panic!("as RGB {:?}, with {channels} channels {:?}", rgb.is_ok(), image.is_ok()),
        }
    }
    assert!(matches!(
        decode_channels(bytes, 2),
        Err(DecodeError::Channels { channels: 2 })
    ));
    rgb.is_ok()
}

/// Records and class names of CIFAR's binary version.
pub fn cifar(bytes: &[u8]) -> bool {
    let mut accepted = false;
    for kind in [CifarKind::Cifar10, CifarKind::Cifar100, CifarKind::Cifar100Coarse] {
        if let Ok(records) = check_cifar_records(kind, bytes).map_err(one_line) {
            assert!(records > 0);
            assert_eq!(records * kind.record_bytes(), bytes.len());
            accepted = true;
        }
        if let Ok(names) = parse_cifar_names(kind, bytes).map_err(one_line) {
            assert_eq!(names.len(), kind.class_count());
            assert!(names.iter().all(|name| !name.is_empty() && !name.contains('\n')));
            accepted = true;
        }
    }
    accepted
}

/// IDX files, gzipped or not.
pub fn idx(bytes: &[u8]) -> bool {
    let Ok(array) = IdxArray::parse(bytes).map_err(one_line) else {
        return false;
    };
    let values: usize = array.dims.iter().product();
    let width = if array.kind == IdxType::U8 { 1 } else { 4 };
    assert!((1..=4).contains(&array.dims.len()));
    assert_eq!(values * width, array.data.len());
    assert_eq!(array.values().count(), values);
    true
}

/// Annotations of Pascal VOC.
pub fn voc(bytes: &[u8]) -> bool {
    let Ok(annotation) = parse_annotation(bytes).map_err(one_line) else {
        return false;
    };
    for object in &annotation.objects {
        assert!(!object.name.is_empty());
        assert!(object.corners.iter().all(|corner| corner.is_finite()), "{object:?}");
    }
    true
}

/// File lists.
pub fn list(bytes: &[u8]) -> bool {
    let lines = match parse_list(bytes) {
        Ok(lines) => lines,
        Err(bad) => {
            assert!(bad.number > 0);
            one_line(bad.reason);
            return false;
        }
    };
    assert!(lines.windows(2).all(|two| two[0].number < two[1].number));
    for line in &lines {
        for part in [Some(line.path), line.class].into_iter().flatten() {
            assert!(
                !part.is_empty() && part.trim() == part && !part.contains(['\n', '\0']),
                "{line:?}"
            );
        }
    }
    true
}

/// A folder's index in its cache. The same bytes with a correct checksum reach more code.
pub fn folder_index(bytes: &[u8]) -> bool {
    let mut sealed = bytes.to_vec();
    if let Some(body) = bytes.len().checked_sub(blake3::OUT_LEN) {
        let sum = blake3::hash(&bytes[..body]);
        sealed[body..].copy_from_slice(sum.as_bytes());
    }
    for bytes in [bytes, &sealed] {
        if let Ok(stored) = parse_index(bytes).map_err(one_line) {
            for index in 0..stored.index.len() {
                assert!(!stored.index.path(index).as_os_str().is_empty());
            }
            let again = stored.to_bytes().expect("what was stored can be stored");
            assert_eq!(parse_index(&again).as_ref(), Ok(&stored));
        }
    }
    parse_index(bytes).is_ok()
}

/// The index of decoded images in their cache, also with a correct checksum.
pub fn image_cache(bytes: &[u8]) -> bool {
    for bytes in [bytes, &sealed_cache(bytes)] {
        if let Ok(index) = CacheIndex::parse(bytes).map_err(one_line) {
            assert!(index.channels > 0);
            for entry in &index.entries {
                assert!(entry.width > 0 && entry.height > 0);
                let end = entry.offset + entry.bytes(index.channels) as u64;
                assert!(end <= bytes.len() as u64, "{entry:?} ends after {} bytes", bytes.len());
            }
            assert!(index.entries.windows(2).all(|two| two[0].number < two[1].number));
        }
    }
    CacheIndex::parse(bytes).is_ok()
}

/// The checksum at 96..128 is of bytes 0..96 and of what follows the pixels, whose number is at 56.
fn sealed_cache(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let Some((header, _)) = bytes.split_first_chunk::<128>() else {
        return sealed;
    };
    let pixels = u64::from_le_bytes(header[56..64].try_into().expect("eight bytes"));
    let tail = usize::try_from(pixels).ok().and_then(|pixels| pixels.checked_add(128));
    if let Some(tail) = tail.and_then(|tail| bytes.get(tail..)) {
        let sum = blake3::Hasher::new().update(&header[..96]).update(tail).finalize();
        sealed[96..128].copy_from_slice(sum.as_bytes());
    }
    sealed
}

fn one_line(error: impl Display) {
    let text = error.to_string();
    assert!(
        !text.is_empty() && text.len() < 1_000 && !text.contains(['\n', '\r']),
        "{text:?}"
    );
}
