//! Fuzzing seeds: valid files of each kind, near misses, and both of them truncated and with flipped bits.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use barlow_augment::{RgbImage8, encode_png, keyed_rng};
use barlow_data::{
    BadImages, DiskCache, DiskCacheConfig, FolderIndex, FolderLayout, ImageFolder, LeftOut, LeftOutReason, StoredIndex,
    StoredTars, TarStamp, index_tar,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::RngExt;

use crate::pictures::pictures;

/// Paths below the corpora, with their bytes; the same on every machine.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (target, files) in [
        ("cifar", cifar()),
        ("coco", coco()),
        ("folder_index", folder_index()),
        ("idx", idx()),
        ("image", pictures()),
        ("image_cache", image_cache()),
        ("list", list()),
        ("parquet", parquet()),
        ("table", table()),
        ("tar_index", tar_index()),
        ("voc", voc()),
        ("webdataset", webdataset()),
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

fn coco() -> Files {
    let file = |images: &str, annotations: &str| {
        let categories = r#"[{"id":7,"name":"dog"},{"id":3,"name":"cat"}]"#;
        format!(r#"{{"info":{{}},"images":[{images}],"categories":{categories},"annotations":[{annotations}]}}"#)
            .into_bytes()
    };
    let image = r#"{"id":9,"file_name":"a/2.jpg","height":40,"width":60}"#;
    let polygon = r#"{"id":1,"image_id":9,"category_id":7,"bbox":[1,2,30.5,20],"area":99.5,"iscrowd":0,"segmentation":[[1,2,31.5,2,31.5,22]]}"#;
    let runs = r#"{"id":2,"image_id":9,"category_id":3,"bbox":[0,0,9,9],"iscrowd":1,"segmentation":{"size":[40,60],"counts":[400,600,1400]}}"#;
    let text = r#"{"id":3,"image_id":9,"category_id":3,"bbox":[0,0,9,9],"iscrowd":true,"segmentation":{"size":[40,60],"counts":"0hm2"}}"#;
    let changed = |from: &str, to: &str| file(image, &polygon.replace(from, to));
    named([
        ("valid-polygon.json", file(image, polygon)),
        ("valid-runs.json", file(image, &format!("{runs},{text}"))),
        ("valid-no-object.json", file(image, "")),
        ("valid-outside.json", changed("30.5", "300")),
        (
            "valid-unknown.json",
            changed(r#""category_id":7"#, r#""category_id":8"#),
        ),
        ("valid-no-area.json", changed("30.5,20", "0,-20")),
        ("huge-number.json", changed("30.5", "1e999")),
        ("id-as-text.json", file(&image.replace('9', "\"9\""), "")),
        ("no-pixels.json", file(&image.replace("40", "0"), "")),
        ("leaves-the-folder.json", file(&image.replace("a/2", "../2"), "")),
        ("twice.json", file(&format!("{image},{image}"), "")),
        ("no-image.json", file("", "")),
        ("deep.json", "[".repeat(2000).into_bytes()),
        ("empty.json", Vec::new()),
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

fn table() -> Files {
    let text = |text: &str| text.as_bytes().to_vec();
    named([
        (
            "valid-names.csv",
            text("image,label\na b.jpg,\"tabby, cat\"\nc.png,dog\n"),
        ),
        (
            "valid-order.tsv",
            text("\u{FEFF}# a table\nn\tlabel\tfilename\r\n1\tKätzchen\tä.png\r\n"),
        ),
        ("valid-semicolons.csv", text("group;image\n1;\"a\"\"b.jpg\"\n\n2;c\n")),
        ("valid-bare.csv", text("cat,a.jpg\ndog,b.jpg\n")),
        ("three.csv", text("a.jpg,cat,1\n")),
        ("unknown.csv", text("who,what\nann,7\n")),
        ("latin-1.csv", b"image,label\nK\xE4tze.jpg,x\n".to_vec()),
        ("no-path.csv", text("image,label\n,cat\n")),
        ("open-quote.csv", text("image,label\n\"a.jpg,cat\n")),
        ("empty.csv", Vec::new()),
    ])
}

fn left_out() -> LeftOut {
    let mut left_out = LeftOut::default();
    left_out.add(LeftOutReason::Leftover, ".DS_Store");
    left_out.add(LeftOutReason::OtherFormat("webp".into()), "a/ä.webp");
    left_out
}

fn folder_index() -> Files {
    let index = |layout, folders: &[(&str, &[&str])], stamps: &[(&str, i64)]| {
        let folders = folders.iter().map(|(folder, files)| (*folder, files.to_vec()));
        let stored = StoredIndex {
            root: "/data/photos".into(),
            index: FolderIndex::new(layout, folders).unwrap(),
            stamps: stamps.iter().map(|(folder, time)| (folder.into(), *time)).collect(),
            left_out: left_out(),
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

/// A tar of these members; `change` may alter each header before its checksum.
fn tar(members: &[(&str, &[u8])], change: impl Fn(&mut tar::Header)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        change(&mut header);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn webdataset() -> Files {
    let long = format!("{}.png", "long".repeat(40));
    let plain = |members: &[(&str, &[u8])]| tar(members, |_| {});
    let two = plain(&[
        ("a.cls", b"0"),
        ("a.png", b"pixels"),
        ("b.cls", b"1"),
        ("b.png", b"pixels"),
    ]);
    let mut pax = tar::Builder::new(Vec::new());
    for (name, bytes) in [("d/a.json", &br#"{"label": "cat"}"#[..]), ("d/a.png", b"pixels")] {
        pax.append_pax_extensions([("path", name.as_bytes())]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        pax.append_data(&mut header, "x", bytes).unwrap();
    }
    let mut huge = two.clone();
    huge[124..136].copy_from_slice(b"\x80\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    let in_sum = |place: usize| {
        if (148..156).contains(&place) {
            32
        } else {
            u32::from(huge[place])
        }
    };
    let sum: u32 = (0..512).map(in_sum).sum();
    huge[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    named([
        ("valid-two.tar", two.clone()),
        (
            "valid-long-name.tar",
            plain(&[(&long, b"pixels"), ("a.txt", b"1"), ("a.jpg", b"pixels")]),
        ),
        ("valid-pax.tar", pax.into_inner().unwrap()),
        (
            "valid-orphans.tar",
            plain(&[("b.png", b"x"), ("a.png", b"y"), ("b.cls", b"2"), ("a.cls", b"1")]),
        ),
        ("huge.tar", huge),
        (
            "links.tar",
            tar(&[("a.png", b"")], |header| {
                header.set_entry_type(tar::EntryType::Symlink)
            }),
        ),
        (
            "sparse.tar",
            tar(&[("a.png", b"")], |header| {
                header.set_entry_type(tar::EntryType::GNUSparse)
            }),
        ),
        ("bad-json.tar", plain(&[("a.png", b"x"), ("a.json", b"{\"label\": ")])),
        (
            "repeated.tar",
            plain(&[("a.png", b"x"), ("b.png", b"x"), ("a.png", b"y")]),
        ),
        ("lines.tar", plain(&[("a\nb.cls", b"1"), ("c.png", b"x")])),
        ("empty.tar", vec![0; 1024]),
        ("text", b"not a tar ".repeat(60)),
    ])
}

fn tar_index() -> Files {
    let stored = |members: &[(&str, &[u8])]| {
        let bytes = tar(members, |_| {});
        let tar = TarStamp {
            path: "/data/train-0.tar".into(),
            stamp: [bytes.len() as u64, 7],
        };
        StoredTars(vec![(tar, index_tar(&bytes))]).to_bytes()
    };
    let labelled = stored(&[
        ("a.cls", b"0"),
        ("a.png", b"pixels"),
        ("b.cls", b"dog"),
        ("b.png", b"pixels"),
    ]);
    let faults = stored(&[
        ("a.cls", b"0"),
        ("b.png", b"x"),
        ("b.npy", b"x"),
        ("b.png", b"x"),
        ("c.txt", b"a b"),
    ]);
    let mut version = labelled.clone();
    version[8] = 99;
    named([
        ("valid-labelled", labelled.clone()),
        ("valid-faults", faults),
        ("valid-none", StoredTars::default().to_bytes()),
        ("version-99", version),
        ("tail", [&labelled[..], b"x"].concat()),
        ("empty", Vec::new()),
    ])
}

/// Files that pyarrow made, which make.py next to them describes.
fn parquet() -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/parquet_files");
    let file = |name: &str| fs::read(folder.join(name)).unwrap();
    let tiny = file("tiny.parquet");
    let mut footer = tiny.clone();
    let length = footer.len() - 8;
    footer[length + 2] = 0xFF;
    named([
        ("valid-tiny", tiny.clone()),
        ("valid-v2", file("tiny-v2.parquet")),
        ("valid-delta", file("delta.parquet")),
        ("no-image", file("no-image.parquet")),
        ("footer-too-long", footer),
        ("encrypted", [&tiny[..tiny.len() - 4], b"PARE"].concat()),
        ("marks-only", b"PAR1\0\0\0\0PAR1".to_vec()),
        ("empty", Vec::new()),
    ])
}
