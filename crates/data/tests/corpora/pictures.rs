//! Fuzzing seeds for the decoder: small images of every kind.

use std::fs;
use std::io::Write;
use std::path::Path;

use barlow_augment::{RgbImage8, encode_png};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::seeds::{Files, named};

/// Files of the differential test against Pillow (crates/augment/tests/all/pillow), which lie in the corpus themselves.
const PILLOW: [&str; 28] = [
    "progressive.jpg",
    "one-scan-a-component.jpg",
    "cmyk.jpg",
    "odd-sampling.jpg",
    "motion.jpg",
    "lossy.webp",
    "alpha.webp",
    "lossless.webp",
    "animated.webp",
    "turned.webp",
    "rgb.bmp",
    "palette.bmp",
    "one-bit.bmp",
    "lzw.tif",
    "palette.tif",
    "fax.tif",
    "cmyk.tif",
    "turned.tif",
    "palette.gif",
    "animated.gif",
    "interlaced.gif",
    "binary.ppm",
    "bits.pbm",
    "text.ppm",
    "rgb.qoi",
    "rgba.qoi",
    "packed-profile.png",
    "packed-xmp.png",
];

/// A shipped JPEG, PNG files of every pixel type, and some invalid ones.
pub fn pictures() -> Files {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
    let jpeg = |path: &str| fs::read(assets.join(path)).unwrap();
    let rgb = encode_png(&RgbImage8::from_fn(5, 4, |x, y| [x as u8 * 50, y as u8 * 60, 7])).unwrap();
    let orientation = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let colours: Vec<u8> = (0..48).collect();
    let mut files = named([
        ("valid-sign.jpg", jpeg("sign-digits-64/test/3/IMG_1325.jpg")),
        ("valid-rgb.png", rgb),
        ("valid-grey1.png", png(9, 1, 0, &[0xAA, 0x80], &[])),
        ("valid-grey8.png", png(3, 8, 0, b"abc", &[])),
        ("valid-grey16.png", png(2, 16, 0, b"abcd", &[])),
        ("valid-grey-alpha.png", png(2, 8, 4, b"abcd", &[])),
        ("valid-grey-alpha16.png", png(1, 16, 4, b"abcd", &[])),
        ("valid-rgb16.png", png(1, 16, 2, b"abcdef", &[])),
        ("valid-rgba.png", png(1, 8, 6, b"abcd", &[(b"eXIf", orientation)])),
        ("valid-rgba16.png", png(1, 16, 6, b"abcdefgh", &[])),
        (
            "valid-palette.png",
            png(4, 4, 3, &[0x01, 0x23], &[(b"PLTE", &colours), (b"tRNS", &[9, 8])]),
        ),
        // Made png 0.18.1 panic.
        (
            "palette-of-47-bytes.png",
            png(4, 4, 3, &[0x01, 0x23], &[(b"PLTE", &colours[1..])]),
        ),
        (
            "palette-of-258-colours.png",
            png(2, 8, 3, &[1, 2], &[(b"PLTE", &[7; 774])]),
        ),
        ("no-palette.png", png(2, 8, 3, &[1, 2], &[])),
        (
            "gif",
            b"GIF89a\x01\0\x01\0\x80\0\0\xFF\xFF\xFF\0\0\0!\xF9\x04\x01\0\0\0\0,".to_vec(),
        ),
    ]);
    files.extend(PILLOW.iter().map(|name| {
        let name = format!("valid-{name}");
        let bytes = fs::read(assets.join("../fuzz/corpus/image").join(&name)).unwrap();
        (name, bytes)
    }));
    files
}

/// A PNG of two equal rows, with other chunks before the pixels.
fn png(width: u32, depth: u8, colour: u8, row: &[u8], chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1A\n".to_vec();
    let mut chunk = |kind: &[u8; 4], body: &[u8]| {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(body);
        bytes.extend((body.len() as u32).to_be_bytes());
        bytes.extend([&kind[..], body].concat());
        bytes.extend(crc.sum().to_be_bytes());
    };
    let size = [width.to_be_bytes(), 2_u32.to_be_bytes()].concat();
    chunk(b"IHDR", &[&size[..], &[depth, colour, 0, 0, 0]].concat());
    for (kind, body) in chunks {
        chunk(kind, body);
    }
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::default());
    pixels.write_all(&[&[0], row, &[0], row].concat()).unwrap();
    chunk(b"IDAT", &pixels.finish().unwrap());
    chunk(b"IEND", b"");
    bytes
}
