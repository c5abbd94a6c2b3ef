//! Fuzzing seeds: valid files of each kind, near misses, and both of them truncated and with flipped bits.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use barlow_augment::{RgbImage8, encode_png, keyed_rng};
use barlow_data::{BadImages, DiskCache, DiskCacheConfig, FolderIndex, FolderLayout, ImageFolder, StoredIndex};
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::RngExt;

use crate::pictures::pictures;

/// Paths below the corpora, with their bytes; the same on every machine.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (target, files) in [
        ("cifar", cifar()),
        ("folder_index", folder_index()),
        ("idx", idx()),
        ("image", pictures()),
        ("image_cache", image_cache()),
        ("list", list()),
        ("voc", voc()),
    ] {
        for (number, (name, bytes)) in files.into_iter().enumerate() {
            if let Some(name) = name.strip_prefix("valid-") {
                let mut rng = keyed_rng(5, 0, number as u64, 0);
                let mut draw = |limit: usize| rng.random_range(0..limit as u64) as usize;
                let mut flipped = bytes.clone();
                flipped[draw(bytes.len())] ^= 1 << draw(8);
                let cut = bytes[..draw(bytes.len())].to_vec();
                seeds.push((format!("{target}/flipped-{name}"), flipped));
                seeds.push((format!("{target}/cut-{name}"), cut));
            }
            seeds.push((format!("{target}/{name}"), bytes));
        }
    }
    seeds
}

/// Names and bytes.
pub type Files = Vec<(String, Vec<u8>)>;

/// Files with owned names.
pub fn named<const N: usize>(files: [(&str, Vec<u8>); N]) -> Files {
    files
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .collect()
}

fn cifar() -> Files {
    let record = |labels: &[u8]| [labels, &[100; 3072]].concat();
    let names = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n".to_vec();
    named([
        ("valid-records10", [record(&[0]), record(&[9])].concat()),
        ("valid-records100", record(&[19, 99])),
        ("valid-names", names),
        ("label-10", record(&[10])),
        ("coarse-label-20", record(&[20, 0])),
        ("same-names", b"a\nb\nc\nd\ne\nf\ng\nh\ni\na\n".to_vec()),
        (
            "same-names-with-return",
            b"a\nb\nc\nd\ne\nf\ng\nh\ni\rk\ni\rk\n".to_vec(),
        ),
        ("names-not-text", b"a\nb\xFF\n".to_vec()),
        ("empty", Vec::new()),
    ])
}

fn idx() -> Files {
    let header = |kind: u8, dims: &[u32]| {
        let mut bytes = vec![0, 0, kind, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|size| size.to_be_bytes()));
        bytes
    };
    let with = |mut bytes: Vec<u8>, values: &[u8]| {
        bytes.extend(values);
        bytes
    };
    let images = with(header(8, &[2, 3, 3]), b"abcdefghijklmnopqr");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&images).unwrap();
    let packed = packed.finish().unwrap();
    named([
        ("valid-images", images.clone()),
        ("valid-images.gz", packed.clone()),
        ("valid-labels", with(header(8, &[4]), &[0, 1, 2, 1])),
        (
            "valid-labels32",
            with(header(12, &[2]), &[0, 0, 0, 7, 255, 255, 255, 255]),
        ),
        ("valid-colour", with(header(8, &[1, 2, 2, 3]), b"abcdefghijkl")),
        ("huge", header(8, &[u32::MAX, u32::MAX, u32::MAX, u32::MAX])),
        ("two-gigabytes", with(header(8, &[1 << 15, 1 << 16]), b"few")),
        ("floats", with(header(13, &[1]), &[0; 4])),
        ("five-dimensions", with(header(8, &[1; 5]), b"a")),
        ("too-long", with(images, b"s")),
        ("twice.gz", [&packed[..], &packed].concat()),
    ])
}

fn voc() -> Files {
    let annotation = |inside: &str| format!("<annotation>\n{inside}\n</annotation>\n").into_bytes();
    let boxed = "<object><name>dog</name><difficult>1</difficult><truncated>0</truncated><bndbox><xmin>8.5</xmin>\
                 <ymin>12</ymin><xmax>352</xmax><ymax>498</ymax></bndbox>";
    let size =
        "<filename>2007_000027.jpg</filename><size><width>486</width><height>500</height><depth>3</depth></size>";
    let part =
        "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>";
    let text = |from: &str, to: &str| annotation(&format!("{boxed}</object>").replace(from, to));
    named([
        (
            "valid-object.xml",
            annotation(&format!("{size}{boxed}{part}</object>{boxed}</object>")),
        ),
        ("valid-no-object.xml", annotation(size)),
        ("valid-entities.xml", text("dog", "d&#111;g &amp; <![CDATA[<cat>]]>")),
        (
            "valid-prologue.xml",
            [b"\xEF\xBB\xBF<?xml version=\"1.0\"?><!-- x -->", &annotation(size)[..]].concat(),
        ),
        (
            "own-entity.xml",
            [b"<!DOCTYPE a [<!ENTITY d \"dog\">]>", &text("dog", "&d;")[..]].concat(),
        ),
        ("not-a-number.xml", text("352", "nan")),
        ("infinite.xml", text("352", "1e999")),
        ("no-name.xml", text("<name>dog</name>", "")),
        ("no-box.xml", annotation("<object><name>dog</name></object>")),
        ("deep.xml", annotation(&"<a>".repeat(200))),
        ("crossed.xml", annotation("<a><b></a></b>")),
        ("utf-16.xml", b"\xFF\xFE<\0a\0>\0".to_vec()),
        ("empty.xml", Vec::new()),
    ])
}

fn list() -> Files {
    let text = |text: &str| text.as_bytes().to_vec();
    named([
        ("valid-simclr.txt", text("n01440764_10026.JPEG\nn01440764_10027.JPEG\n")),
        (
            "valid-classes.txt",
            text("# a list\r\na/b 1.jpg tabby cat\r\n\r\nc.PNG,dog\n\u{FEFF}d\te\n"),
        ),
        ("valid-mark.txt", text("\u{FEFF}Katze ä.png Süße")),
        ("valid-nothing.txt", text("\n \n#\n")),
        ("words.txt", text("a.jpg\nwords only\n")),
        ("hidden.txt", text(".jpg cat")),
        ("latin-1.txt", b"K\xE4tze.jpg\n".to_vec()),
        ("zero-byte.txt", text("a.jpg\n\0\n")),
    ])
}

fn folder_index() -> Files {
    let index = |layout, folders: &[(&str, &[&str])], stamps: &[(&str, i64)]| {
        let folders = folders.iter().map(|(folder, files)| (*folder, files.to_vec()));
        let stored = StoredIndex {
            root: "/data/photos".into(),
            index: FolderIndex::new(layout, folders).unwrap(),
            stamps: stamps.iter().map(|(folder, time)| (folder.into(), *time)).collect(),
        };
        stored.to_bytes().unwrap()
    };
    let flat = index(FolderLayout::Flat, &[("", &["1.png", "ä.jpg"])], &[("", -5)]);
    let mut version = flat.clone();
    version[8] = 99;
    let classes: [(&str, &[&str]); 2] = [("a", &["1.png", "2.png"]), ("b", &["x.jpg"])];
    let nested: [(&str, &[&str]); 2] = [("", &["0.jpg"]), ("a/b", &["1.png"])];
    named([
        ("valid-flat", flat.clone()),
        (
            "valid-classes",
            index(FolderLayout::Classes, &classes, &[("", 1), ("a", i64::MAX), ("b", 7)]),
        ),
        (
            "valid-nested",
            index(FolderLayout::Nested, &nested, &[("", 1), ("a", 2), ("a/b", i64::MIN)]),
        ),
        ("version-99", version),
        ("tail", [&flat[..], b"x"].concat()),
        ("empty", Vec::new()),
    ])
}

fn image_cache() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("images");
    fs::create_dir(&folder).unwrap();
    for (name, width) in [("a.png", 3), ("b.png", 5)] {
        let image = RgbImage8::from_fn(width, 4, |x, y| [x as u8, y as u8, 9]);
        fs::write(folder.join(name), encode_png(&image).unwrap()).unwrap();
    }
    let config = DiskCacheConfig {
        key: [3; 32],
        side: None,
        bad_images: BadImages::Skip,
        threads: 1,
    };
    let cache = |channels: usize| {
        let path = dir.path().join(format!("cache-{channels}"));
        let source = Arc::new(ImageFolder::open(&folder, channels).unwrap());
        DiskCache::open_or_build(source, &path, &config, &mut |_, _| {}).unwrap();
        fs::read(path).unwrap()
    };
    let (rgb, grey) = (cache(3), cache(1));
    let mut version = grey.clone();
    version[8] = 99;
    let mut pixels = grey.clone();
    pixels[56..64].copy_from_slice(&u64::MAX.to_le_bytes());
    named([
        ("valid-rgb", rgb),
        ("valid-grey", grey.clone()),
        ("version-99", version),
        ("pixels-overflow", pixels),
        ("tail", [&grey[..], b"x"].concat()),
        ("empty", Vec::new()),
    ])
}
