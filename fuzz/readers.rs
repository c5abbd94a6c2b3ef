//! One function for every reader of bytes: calls it, and asserts what must hold whatever the bytes are.
//!
//! The fuzz targets and the replay of their corpora (crates/data/tests/corpora) both include this file, so that what a
//! fuzzer found goes through the same checks in the ordinary tests. A reader never panics, its errors are one line, and
//! what it accepts is consistent.

// Each fuzz target uses one of them.
#![allow(dead_code)]

use std::fmt::Display;

use barlow_augment::{CropBox, DecodeError, Image8, decode, decode_channels, decode_region, resize_bicubic};
use barlow_data::{
    CacheIndex, CifarKind, IdxArray, IdxType, ParquetFile, check_cifar_records, index_tar, parse_annotation,
    parse_cifar_names, parse_coco, parse_index, parse_list, parse_table, parse_tar_indexes,
};

/// A target returns whether it accepted the bytes.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is also its corpus folder's.
pub const TARGETS: &[(&str, Target)] = &[
    ("cifar", cifar),
    ("coco", coco),
    ("folder_index", folder_index),
    ("idx", idx),
    ("image", image),
    ("image_cache", image_cache),
    ("list", list),
    ("parquet", parquet),
    ("table", table),
    ("tar_index", tar_index),
    ("voc", voc),
    ("webdataset", webdataset),
];

/// Image files of every format.
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
    // Any box of the image, by its own bytes.
    let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
    let wanted = |width: usize, height: usize| {
        let (left, top) = (byte(bytes.len() / 3) % width, byte(bytes.len() / 2) % height);
        let [width, height] =
            [(width - left, 2), (height - top, 5)].map(|(most, at)| 1 + byte(at * bytes.len() / 7) % most);
        CropBox {
            left,
            top,
            width,
            height,
        }
    };
    match (&rgb, decode_region(bytes, 3, &wanted).map_err(one_line)) {
        (Ok(rgb), Ok(region)) => {
            let wanted = wanted(rgb.width(), rgb.height());
            let cut = |image: &Image8, part| resize_bicubic(image, part, wanted.width, wanted.height);
            let whole = Image8::Rgb(rgb.clone());
            assert!(
                cut(region.pixels(), region.within(wanted)) == cut(&whole, wanted),
                "{wanted:?}"
            );
        }
        (Err(()), Err(())) => {}
        (rgb, region) => panic!("whole {:?}, a region {:?}", rgb.is_ok(), region.is_ok()),
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

/// Annotation files of COCO.
pub fn coco(bytes: &[u8]) -> bool {
    let Ok(file) = parse_coco(bytes).map_err(one_line) else {
        return false;
    };
    assert!(!file.images.is_empty() && !file.categories.is_empty());
    assert!(file.images.is_sorted_by(|a, b| a.id < b.id) && file.categories.is_sorted_by(|a, b| a.id < b.id));
    file.categories
        .iter()
        .for_each(|category| one_line_name(&category.name));
    for image in &file.images {
        one_line_name(&image.file_name);
        let [height, width] = image.size;
        for object in &image.objects {
            let [x1, y1, x2, y2] = object.corners;
            assert!(0.0 <= x1 && x1 < x2 && x2 <= width as f32, "{object:?}");
            assert!(0.0 <= y1 && y1 < y2 && y2 <= height as f32, "{object:?}");
            assert!(
                object.category < file.categories.len() && object.area.is_finite(),
                "{object:?}"
            );
        }
    }
    if !file.problems.is_empty() {
        one_line(&file.problems);
    }
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

/// Tars of images with their labels.
pub fn webdataset(bytes: &[u8]) -> bool {
    let index = index_tar(bytes);
    for image in 0..index.len() {
        let (start, size) = index.range(image);
        assert!(
            start as usize + size <= bytes.len(),
            "image {image} ends behind the tar"
        );
        one_line_name(&index.name(image));
        assert!(index.label(image).is_none_or(|label| !label.trim().is_empty()));
    }
    for (fault, count, first) in index.faults() {
        one_line(fault);
        assert!(count > 0);
        one_line_name(first);
    }
    !index.is_empty() && index.faults().next().is_none()
}

/// Indexes of tars in their cache. The same bytes with a correct checksum reach more code.
pub fn tar_index(bytes: &[u8]) -> bool {
    let mut sealed = bytes.to_vec();
    if let Some(body) = bytes.len().checked_sub(blake3::OUT_LEN) {
        let sum = blake3::hash(&bytes[..body]);
        sealed[body..].copy_from_slice(sum.as_bytes());
    }
    for bytes in [bytes, &sealed] {
        if let Ok(stored) = parse_tar_indexes(bytes).map_err(one_line) {
            for (tar, index) in &stored.0 {
                for image in 0..index.len() {
                    let (start, size) = index.range(image);
                    assert!(start + size as u64 <= tar.stamp[0]);
                    let _ = (index.name(image), index.label(image));
                }
            }
            assert_eq!(parse_tar_indexes(&stored.to_bytes()).as_ref(), Ok(&stored));
        }
    }
    parse_tar_indexes(bytes).is_ok()
}

/// Parquet files with a column of images: the footer, all labels and the first images.
pub fn parquet(bytes: &[u8]) -> bool {
    let Ok(file) = ParquetFile::parse(bytes).map_err(one_line) else {
        return false;
    };
    assert!(file.len() <= bytes.len());
    let labels = file.labels(bytes).map_err(one_line);
    if let Ok(labels) = &labels {
        assert!(labels.is_empty() || labels.len() == file.len());
        assert!(labels.iter().flatten().all(|label| !label.trim().is_empty()));
    }
    let images = (0..file.len().min(16)).map(|row| file.image_bytes(bytes, row).map_err(one_line));
    // All are read, whichever fails.
    images.fold(labels.is_ok(), |is_good, image| is_good & image.is_ok())
}

/// Lists that are tables, with and without named columns. A table is accepted if all its rows name images.
pub fn table(bytes: &[u8]) -> bool {
    let lines = bytes.split(|&byte| byte == b'\n').count();
    let mut accepted = false;
    for columns in [None, Some("image,label,group"), Some("2,1")] {
        let columns = columns.map(|columns| columns.parse().expect("the columns are well-formed"));
        let Ok(table) = parse_table(bytes, columns.as_ref()).map_err(one_line) else {
            continue;
        };
        assert!(table.rows.len() + table.bad.len() <= lines);
        for row in &table.rows {
            assert!((1..=lines).contains(&row.number), "{row:?}");
            assert!(!row.path.is_empty() && !row.path.contains(char::is_control), "{row:?}");
            let cells = [&row.class, &row.group];
            assert!(cells.into_iter().flatten().all(|cell| !cell.is_empty()), "{row:?}");
        }
        for bad in &table.bad {
            one_line(bad.reason);
        }
        accepted |= columns.is_none() && table.bad.is_empty() && !table.rows.is_empty();
    }
    accepted
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

/// A name that goes into a message: a name in a tar may be long.
fn one_line_name(name: &str) {
    assert!(!name.contains(['\n', '\r']), "{name:?}");
}

fn one_line(error: impl Display) {
    let text = error.to_string();
    assert!(
        !text.is_empty() && text.len() < 1_000 && !text.contains(['\n', '\r']),
        "{text:?}"
    );
}
