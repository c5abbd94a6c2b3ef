//! Differential test against Pillow: hundreds of files of every kind, decoded to exactly the pixels that Pillow decodes.
//!
//! `pillow/make.py` makes them: JPEGs of all sampling factors, scans, restart intervals and colour transforms, sizes 1 to 70;
//! orientations; other formats. The tolerance is zero.

use std::io::Read;

use barlow_augment::decode;
use flate2::Crc;
use flate2::read::GzDecoder;

pub struct Case {
    pub name: String,
    pub file: Vec<u8>,
    width: usize,
    height: usize,
    checksum: u32,
}

pub fn cases() -> Vec<Case> {
    let mut bytes = Vec::new();
    GzDecoder::new(&include_bytes!("pillow/cases.gz")[..])
        .read_to_end(&mut bytes)
        .unwrap();
    let mut rest = &bytes[..];
    let mut cases = Vec::new();
    while !rest.is_empty() {
        let length = number(take(&mut rest, 2));
        let name = String::from_utf8(take(&mut rest, length).to_vec()).unwrap();
        let length = number(take(&mut rest, 4));
        cases.push(Case {
            name,
            file: take(&mut rest, length).to_vec(),
            width: number(take(&mut rest, 4)),
            height: number(take(&mut rest, 4)),
            checksum: number(take(&mut rest, 4)) as u32,
        });
    }
    cases
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(count);
    *rest = after;
    taken
}

fn number(little_endian: &[u8]) -> usize {
    little_endian
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | usize::from(byte))
}

#[test]
fn every_file_has_the_pixels_of_pillow_or_is_refused_by_name() {
    let (mut decoded, mut refused, mut wrong) = (0, 0, Vec::new());
    for case in cases() {
        match (decode(&case.file), case.name.split_once('!')) {
            (Ok(image), None) => {
                let mut crc = Crc::new();
                crc.update(image.pixels());
                if (image.width(), image.height()) != (case.width, case.height) {
                    wrong.push(format!("{}: {image:?}, not {}x{}", case.name, case.width, case.height));
                } else if crc.sum() != case.checksum {
                    wrong.push(format!("{}: other pixels", case.name));
                }
                decoded += 1;
            }
            (Err(error), Some((_, reason))) => {
                if !error.to_string().contains(reason) {
                    wrong.push(format!("{}: {error}", case.name));
                }
                refused += 1;
            }
            (Ok(image), Some(_)) => wrong.push(format!("{}: accepted as {image:?}", case.name)),
            (Err(error), None) => wrong.push(format!("{}: {error}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        decoded > 700 && refused > 12,
        "{decoded} files decoded, {refused} refused"
    );
}

/// Cut and changed files of every kind: no panic, and no image that is not whole.
#[test]
fn damage_to_any_file_is_an_error_or_an_image() {
    for (number, case) in cases().into_iter().enumerate() {
        let mut file = case.file;
        let cut = (31 * number) % file.len();
        if let Ok(image) = decode(&file[..cut]) {
            assert_eq!(
                image.pixels().len(),
                3 * image.width() * image.height(),
                "{}",
                case.name
            );
            assert!(
                !case.name.ends_with(".jpg"),
                "{} cut to {cut} bytes is accepted",
                case.name
            );
        }
        for turn in 0..4 {
            let at = (97 * number + 53 * turn) % file.len();
            let old = std::mem::replace(&mut file[at], (61 * number + 89 * turn) as u8);
            if let Ok(image) = decode(&file) {
                assert_eq!(
                    image.pixels().len(),
                    3 * image.width() * image.height(),
                    "{}",
                    case.name
                );
            }
            file[at] = old;
        }
    }
}
