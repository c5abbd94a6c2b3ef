//! Generator of a thousand damaged files, the same on every machine: each is a shipped image and a draw keyed by its number.

use std::fs;
use std::path::{Path, PathBuf};

use barlow_augment::{RgbImage8, decode, encode_png, keyed_rng};
use rand::{Rng, RngExt};

/// Files in the folder.
pub const FILES: usize = 1000;

/// The expected verdict on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Usable,
    Bad,
    /// Some flipped bits do harm and some do not.
    Either,
}

/// A damaged file.
pub struct Damaged {
    pub name: String,
    pub bytes: Vec<u8>,
    pub verdict: Verdict,
}

/// The number of files of each kind, and the function that makes them. The numbers add up to [`FILES`].
type Make = fn(&Images, &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict);
const KINDS: [(usize, &str, Make); 12] = [
    (250, "cut", cut),
    (350, "flipped", flipped),
    (60, "wrong-extension", wrong_extension),
    (40, "no-image", no_image),
    (40, "empty", |_, _| (Vec::new(), "jpg", Verdict::Bad)),
    (40, "zeros", |_, rng| (vec![0; below(rng, 5_000)], "png", Verdict::Bad)),
    (60, "giant", giant),
    (20, "wide", wide),
    (40, "bomb", bomb),
    (80, "exif", exif),
    (10, "tail", tail),
    (10, "header", |images, rng| {
        let (bytes, kind) = images.either(rng);
        (bytes[..2 + below(rng, 40)].to_vec(), kind, Verdict::Bad)
    }),
];

/// Shipped images as their original files, and some of them as PNG.
pub struct Images {
    jpeg: Vec<Vec<u8>>,
    png: Vec<Vec<u8>>,
    /// 4,000 x 4,000 black pixels: 48 MB in a few kB.
    black: Vec<u8>,
}

impl Images {
    pub fn shipped() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
        let mut jpeg = Vec::new();
        for folder in ["sign-digits-64/test/3", "trashnet-64/test/glass"] {
            let entries = fs::read_dir(root.join(folder)).unwrap();
            let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            jpeg.extend(paths.into_iter().take(20).map(|path| fs::read(path).unwrap()));
        }
        let png = jpeg.iter().map(|bytes| encode_png(&decode(bytes).unwrap()).unwrap());
        Self {
            png: png.collect(),
            black: encode_png(&RgbImage8::from_fn(4_000, 4_000, |_, _| [0; 3])).unwrap(),
            jpeg,
        }
    }

    /// A JPEG or a PNG, with its extension.
    fn either(&self, rng: &mut dyn Rng) -> (Vec<u8>, &'static str) {
        let number = below(rng, self.jpeg.len());
        match below(rng, 2) {
            0 => (self.jpeg[number].clone(), "jpg"),
            _ => (self.png[number].clone(), "png"),
        }
    }
}

/// All of them, in order.
pub fn damaged_files(images: &Images) -> Vec<Damaged> {
    let mut files = Vec::with_capacity(FILES);
    for (count, kind, make) in KINDS {
        for _ in 0..count {
            let number = files.len();
            let (bytes, extension, verdict) = make(images, &mut keyed_rng(17, 0, number as u64, 0));
            files.push(Damaged {
                name: format!("{number:04}-{kind}.{extension}"),
                bytes,
                verdict,
            });
        }
    }
    files
}

fn below(rng: &mut dyn Rng, limit: usize) -> usize {
    rng.random_range(0..limit as u64) as usize
}

fn cut(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let (mut bytes, kind) = images.either(rng);
    // Most readers accept a PNG without the 12 bytes of its last chunk, which is empty.
    let end = bytes.len() - if kind == "png" { 12 } else { 0 };
    bytes.truncate(below(rng, end));
    (bytes, kind, Verdict::Bad)
}

fn flipped(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let (mut bytes, kind) = images.either(rng);
    // Up to 1, 2, 4 .. 64 bits with equal probability: a uniform number would nearly always be fatal.
    let most = 1 << below(rng, 7);
    for _ in 0..=below(rng, most) {
        let at = below(rng, bytes.len());
        bytes[at] ^= 1 << below(rng, 8);
    }
    (bytes, kind, Verdict::Either)
}

/// A file is recognised by its content.
fn wrong_extension(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let (bytes, kind) = images.either(rng);
    (bytes, if kind == "png" { "JPG" } else { "png" }, Verdict::Usable)
}

fn no_image(_: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let bytes = match below(rng, 4) {
        0 => b"path,label\na.jpg,1\n".to_vec(),
        1 => b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xFF\xFF\xFF\x00\x00\x00;".to_vec(),
        2 => b"<!DOCTYPE html>\n<title>404</title>".to_vec(),
        _ => (0..below(rng, 3_000) + 1).map(|_| rng.random()).collect(),
    };
    (bytes, ["jpg", "png"][below(rng, 2)], Verdict::Bad)
}

/// The header claims 65,000 x 65,000 pixels: 12.7 GB.
fn giant(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let (bytes, kind) = images.either(rng);
    (with_size(&bytes, kind, 65_000, 65_000), kind, Verdict::Bad)
}

/// A claim within the limits, far beyond the data. PNG readers miss the rows; JPEG readers fill them, as libjpeg does.
fn wide(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let (bytes, kind) = images.either(rng);
    let (width, height, verdict) = match kind {
        "png" => (16_000, 10_000, Verdict::Bad),
        _ => (3_000, 2_000, Verdict::Either),
    };
    (with_size(&bytes, kind, width, height), kind, verdict)
}

/// Decompression bombs: more pixels than the header claims, or a text or a colour profile of 48 MB.
fn bomb(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let chunks = &images.black[33..];
    let data_len = u32::from_be_bytes(chunks[..4].try_into().unwrap()) as usize;
    let zlib = &chunks[8..8 + data_len.min(100_000)];
    let small = images.png[below(rng, images.png.len())].clone();
    let with_chunk = |kind: &[u8; 4], body: &[u8]| [&small[..33], &chunk(kind, body), &small[33..]].concat();
    let bytes = match below(rng, 3) {
        0 => with_size(&images.black, "png", 1, 1),
        1 => with_chunk(b"zTXt", &[b"Comment\0\0", zlib].concat()),
        _ => with_chunk(b"iCCP", &[b"Profile\0\0", zlib].concat()),
    };
    (bytes, "png", Verdict::Either)
}

/// Garbage where the orientation is read: not a reason to reject the image.
fn exif(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let (bytes, kind) = images.either(rng);
    let mut rubbish: Vec<u8> = (0..below(rng, 300)).map(|_| rng.random()).collect();
    if below(rng, 2) == 0 {
        // A plausible beginning leads further into the parser: byte order, 42, first directory at 8, its entries.
        rubbish.splice(0..0, *b"MM\0\x2A\0\0\0\x08\xFF\xFF\x01\x12\0\x03\0\0\0\x01\xFF\xFF");
    }
    let bytes = match kind {
        "png" => [&bytes[..33], &chunk(b"eXIf", &rubbish), &bytes[33..]].concat(),
        _ => {
            let len = (rubbish.len() + 8) as u16;
            let segment = [b"\xFF\xE1", &len.to_be_bytes()[..], b"Exif\0\0", &rubbish].concat();
            [&bytes[..2], &segment, &bytes[2..]].concat()
        }
    };
    (bytes, kind, Verdict::Usable)
}

/// Garbage after the end of the image is not part of it.
fn tail(images: &Images, rng: &mut dyn Rng) -> (Vec<u8>, &'static str, Verdict) {
    let (mut bytes, kind) = images.either(rng);
    bytes.extend((0..below(rng, 500)).map(|_| rng.random::<u8>()));
    (bytes, kind, Verdict::Usable)
}

/// The same file with another size in its header.
fn with_size(bytes: &[u8], kind: &str, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if kind == "png" {
        let header = [u32::from(width).to_be_bytes(), u32::from(height).to_be_bytes()].concat();
        let header = [&header[..], &bytes[24..29]].concat();
        bytes.splice(8..33, chunk(b"IHDR", &header));
    } else {
        // A frame header (SOF0 to SOF2) is a segment: marker, length, precision, height, width.
        let mut at = 2;
        while !matches!(bytes[at + 1], 0xC0..=0xC2) {
            at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        }
        bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
        bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    }
    bytes
}

/// A PNG chunk with a correct checksum.
fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = [&(body.len() as u32).to_be_bytes(), &kind[..], body].concat();
    let mut crc = u32::MAX;
    for byte in &bytes[4..] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    bytes.extend((!crc).to_be_bytes());
    bytes
}
