//! Decoding tests: colour types, EXIF orientation, and hostile bytes.

use crate::common;

use std::io::Cursor;

use barlow_augment::{DecodeError, decode, encode_png};
use common::{formula, smooth, with_orientation};
use image::{ColorType, DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat};

fn png(bytes: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(bytes, width, height, color)
        .unwrap();
    png
}

fn jpeg(width: usize, height: usize) -> Vec<u8> {
    let image = smooth(width, height);
    let rgb = image::RgbImage::from_raw(width as u32, height as u32, image.into_pixels()).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(rgb)
        .write_to(&mut bytes, ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn png_round_trips_without_loss() {
    let image = formula(13, 7);
    assert_eq!(decode(&encode_png(&image).unwrap()).unwrap().pixels(), image.pixels());
}

/// Pillow 13: `Image.fromarray(..)` of each kind, saved as PNG, opened and `.convert("RGB")`.
#[test]
fn every_kind_of_png_becomes_rgb_as_pillow_makes_it() {
    let shorts = |values: &[u16]| values.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<u8>>();
    let cases = [
        (
            png(&[0, 77, 255], 3, 1, ExtendedColorType::L8),
            vec![0, 0, 0, 77, 77, 77, 255, 255, 255],
        ),
        (
            png(&[100, 0, 3, 9], 2, 1, ExtendedColorType::La8),
            vec![100, 100, 100, 3, 3, 3],
        ),
        (png(&[10, 20, 30, 0], 1, 1, ExtendedColorType::Rgba8), vec![10, 20, 30]),
        // 16-bit colour is read by its high byte, 16-bit grey is clipped to 255.
        (
            png(&shorts(&[255, 256, 65535]), 1, 1, ExtendedColorType::Rgb16),
            vec![0, 1, 255],
        ),
        (
            png(&shorts(&[511, 512, 65280, 7]), 1, 1, ExtendedColorType::Rgba16),
            vec![1, 2, 255],
        ),
        (
            png(&shorts(&[127, 255, 256]), 3, 1, ExtendedColorType::L16),
            vec![127, 127, 127, 255, 255, 255, 255, 255, 255],
        ),
    ];
    for (index, (bytes, expected)) in cases.into_iter().enumerate() {
        assert_eq!(decode(&bytes).unwrap().pixels(), expected, "case {index}");
    }
}

#[test]
fn a_jpeg_is_close_to_what_was_encoded() {
    let (decoded, original) = (decode(&jpeg(40, 24)).unwrap(), smooth(40, 24));
    assert_eq!((decoded.width(), decoded.height()), (40, 24));
    let total: u32 = decoded
        .pixels()
        .iter()
        .zip(original.pixels())
        .map(|(a, b)| u32::from(a.abs_diff(*b)))
        .sum();
    let mean = f64::from(total) / decoded.pixels().len() as f64;
    assert!(mean < 8.0, "mean difference {mean}");
}

#[test]
fn the_exif_orientation_is_applied() {
    let plain = jpeg(40, 24);
    let upright = decode(&plain).unwrap();
    // 6: the camera was held so that the image must be turned clockwise; column x of it becomes row x.
    let turned = decode(&with_orientation(&plain, 6)).unwrap();
    assert_eq!((turned.width(), turned.height()), (24, 40));
    assert_eq!(turned.pixel(23, 0), upright.pixel(0, 0));
    assert_eq!(turned.pixel(0, 39), upright.pixel(39, 23));
    let upside_down = decode(&with_orientation(&plain, 3)).unwrap();
    assert_eq!(upside_down.pixel(0, 0), upright.pixel(39, 23));
    assert_eq!(decode(&with_orientation(&plain, 1)).unwrap().pixels(), upright.pixels());
}

#[test]
fn what_is_not_a_whole_image_is_an_error() {
    assert!(matches!(decode(b""), Err(DecodeError::Empty)));
    assert!(matches!(
        decode(b"just text in a file named .jpg"),
        Err(DecodeError::UnknownFormat)
    ));
    assert!(matches!(
        decode(b"GIF89a\x01\x00\x01\x00"),
        Err(DecodeError::Damaged(_))
    ));
    let avif = decode(b"\0\0\0\x1Cftypavif\0\0\0\0").unwrap_err();
    assert!(matches!(avif, DecodeError::Unreadable("AVIF")));
    assert!(avif.to_string().contains("convert it"), "{avif}");
    let png = encode_png(&formula(40, 24)).unwrap();
    assert!(matches!(decode(&png[..png.len() / 2]), Err(DecodeError::Damaged(_))));
}

#[test]
fn a_jpeg_cut_anywhere_is_refused_and_rubbish_after_its_end_is_not() {
    let whole = with_orientation(&jpeg(40, 24), 1);
    for length in 3..whole.len() {
        assert!(
            decode(&whole[..length]).is_err(),
            "cut to {length} of {} bytes",
            whole.len()
        );
    }
    let with_tail = [&whole[..], &[0, 0, 17]].concat();
    assert_eq!(decode(&with_tail).unwrap().pixels(), decode(&whole).unwrap().pixels());
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let (jpeg, png) = (jpeg(24, 16), encode_png(&formula(9, 5)).unwrap());
    for original in [jpeg, png] {
        for position in 0..original.len() {
            let mut bytes = original.clone();
            bytes[position] ^= 0x5A;
            // Either result is correct; what matters is that there is one.
            if let Ok(image) = decode(&bytes) {
                assert_eq!(image.pixels().len(), 3 * image.width() * image.height());
            }
        }
    }
}

#[test]
fn a_huge_image_is_refused_before_it_is_decoded() {
    // A PNG header that claims 16385 x 1 pixels, with a correct checksum and no data.
    let mut header = encode_png(&formula(1, 1)).unwrap();
    header[16..20].copy_from_slice(&16385_u32.to_be_bytes());
    let checksum = crc32(&header[12..29]);
    header[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = decode(&header).unwrap_err();
    assert!(
        matches!(
            error,
            DecodeError::TooLarge {
                width: 16385,
                height: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("16384 pixels a side"), "{error}");
    // Within the limit of the sides, over the limit of the bytes: 16384 x 16384 x 3 = 768 MiB.
    header[16..20].copy_from_slice(&16384_u32.to_be_bytes());
    header[20..24].copy_from_slice(&16384_u32.to_be_bytes());
    let checksum = crc32(&header[12..29]);
    header[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert!(matches!(decode(&header), Err(DecodeError::TooLarge { .. })));
    // The same at one bit per pixel: 32 MiB in the format of its file, and as large as before when it is RGB.
    (header[24], header[25]) = (1, 0);
    let checksum = crc32(&header[12..29]);
    header[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert!(matches!(decode(&header), Err(DecodeError::TooLarge { .. })));
    assert_eq!(ColorType::Rgb8.bytes_per_pixel(), 3);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc: u32, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
        crc
    })
}

/// Headers of a few bytes that claim more pixels than the limits.
#[test]
fn a_small_file_of_any_format_cannot_claim_a_huge_image() {
    let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bmp.extend([16_000_i32.to_le_bytes(), 16_000_i32.to_le_bytes()].concat());
    bmp.extend(b"\x01\0\x18\0");
    bmp.extend([0; 24]);
    let qoi = [b"qoif".to_vec(), 16_000_u32.to_be_bytes().repeat(2), vec![3, 0]].concat();
    let gif = b"GIF89a\xFF\xFF\xFF\xFF\0\0\0,\0\0\0\0\xFF\xFF\xFF\xFF\0\x02\x02\x4C\x01\0;".to_vec();
    let pnm = b"P6 16000 16000 255\n".to_vec();
    let jpeg = b"\xFF\xD8\xFF\xC2\0\x11\x08\x3E\x80\x3E\x80\x03\x01\x11\0\x02\x11\0\x03\x11\0".to_vec();
    let entry = |tag: u16, value: u32| [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat();
    let tags = [
        entry(256, 16_000),
        entry(257, 16_000),
        entry(258, 8),
        entry(262, 1),
        entry(277, 1),
        entry(278, 16_000),
    ];
    let strips = [entry(273, 8), entry(279, 4)];
    let tiff = [&b"II*\0\x08\0\0\0\x08\0"[..], &tags.concat(), &strips.concat(), &[0; 4]].concat();
    for bytes in [bmp, qoi, gif, pnm, jpeg, tiff] {
        let error = decode(&bytes).unwrap_err();
        assert!(
            matches!(error, DecodeError::TooLarge { .. }),
            "{:?}: {error}",
            &bytes[..4]
        );
    }
}

/// `goldens/cmyk.py` makes the files and the numbers. Flat blocks, so that decoders differ by no more than rounding.
#[test]
fn cmyk_and_ycck_become_rgb_as_pillow_makes_them() {
    let cases: [(&[u8], [[u8; 3]; 4]); 2] = [
        (
            include_bytes!("goldens/cmyk.jpg"),
            [[255, 255, 255], [51, 207, 180], [130, 19, 87], [0, 0, 55]],
        ),
        (
            include_bytes!("goldens/ycck.jpg"),
            [[0, 134, 0], [98, 235, 26], [0, 2, 93], [17, 55, 55]],
        ),
    ];
    for (bytes, expected) in cases {
        let image = decode(bytes).unwrap();
        assert_eq!((image.width(), image.height()), (32, 8));
        for (block, expected) in expected.into_iter().enumerate() {
            let actual = image.pixel(8 * block + 4, 4);
            let worst = actual.iter().zip(expected).map(|(a, e)| a.abs_diff(e)).max();
            assert!(worst <= Some(1), "block {block}: {actual:?} and {expected:?}");
        }
    }
}
