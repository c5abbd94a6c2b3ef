//! Image formats by their first bytes, whatever the name of the file.
//!
//! This file must not decode.

use crate::tiff_directory::TiffDirectory;

const SUBFILE_TYPE: u16 = 254;
const SUB_DIRECTORIES: u16 = 330;
const DNG_VERSION: u16 = 50706;

/// What the first bytes of a file say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sniffed {
    Jpeg,
    Png,
    /// A format that the `image` crate decodes.
    Other(image::ImageFormat),
    /// An image that is not read, with its name.
    Unreadable(&'static str),
    Unknown,
}

/// The format of a file's bytes.
pub(crate) fn sniff(bytes: &[u8]) -> Sniffed {
    use image::ImageFormat::{Bmp, Gif, Pnm, Qoi, Tiff, WebP};
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Sniffed::Jpeg,
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Sniffed::Png,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Sniffed::Other(WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Sniffed::Other(Gif),
        [b'B', b'M', ..] => Sniffed::Other(Bmp),
        [b'P', b'1'..=b'6', space, ..] if space.is_ascii_whitespace() || *space == b'#' => Sniffed::Other(Pnm),
        [b'q', b'o', b'i', b'f', ..] => Sniffed::Other(Qoi),
        [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => match raw_of_a_camera(bytes) {
            true => Sniffed::Unreadable("a camera's raw image"),
            false => Sniffed::Other(Tiff),
        },
        _ => unreadable(bytes).map_or(Sniffed::Unknown, Sniffed::Unreadable),
    }
}

fn unreadable(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', brands @ ..] => match brands.first_chunk()? {
            b"avif" | b"avis" => "AVIF",
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" => "HEIC",
            b"mif1" | b"msf1" => match brands[..brands.len().min(64)].chunks(4).any(|brand| brand == b"avif") {
                true => "AVIF",
                false => "HEIC",
            },
            b"crx " => "a camera's raw image",
            b"jp2 " | b"jpx " => "JPEG 2000",
            _ => return None,
        },
        [0xFF, 0x4F, 0xFF, 0x51, ..] | [0, 0, 0, 0x0C, b'j', b'P', b' ', b' ', ..] => "JPEG 2000",
        [0xFF, 0x0A, ..] | [0, 0, 0, 0x0C, b'J', b'X', b'L', b' ', ..] => "JPEG XL",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop document",
        [0, 0, 1 | 2, 0, count, 0, ..] if *count > 0 => "an icon (ICO)",
        [0x76, 0x2F, 0x31, 0x01, ..] => "OpenEXR",
        [b'#', b'?', b'R' | b'r', ..] => "Radiance HDR",
        [b'D', b'D', b'S', b' ', ..] => "DDS",
        [b'%', b'P', b'D', b'F', ..] => "PDF",
        [b'%', b'!', b'P', b'S', ..] => "PostScript",
        [b'P', b'7', b'\n', ..] => "PAM",
        [b'I', b'I', b'R', b'O' | b'S', ..] | [b'M', b'M', b'O', b'R', ..] | [b'I', b'I', b'U', 0, ..] => {
            "a camera's raw image"
        }
        _ if bytes.starts_with(b"FUJIFILMCCD-RAW") => "a camera's raw image",
        _ if is_svg(bytes) => "SVG",
        _ => return None,
    })
}

/// Whether text at the start holds the element `svg` (a declaration and comments may be before it).
fn is_svg(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    text.starts_with(b"<") && memchr::memmem::find(text, b"<svg").is_some()
}

/// Whether a TIFF is the raw image of a camera, whose first directory holds no more than a small preview: it states a
/// version of DNG, is Canon's, or calls itself a reduced image and has others below it.
fn raw_of_a_camera(bytes: &[u8]) -> bool {
    if bytes.get(8..10) == Some(b"CR") {
        return true;
    }
    let Some(directory) = TiffDirectory::first(bytes) else {
        return false;
    };
    let has = |tag: u16| directory.entries().any(|entry| entry.tag == tag);
    has(DNG_VERSION) || (has(SUB_DIRECTORIES) && directory.number(SUBFILE_TYPE) == Some(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        let named: [(&[u8], &str); 12] = [
            (b"\0\0\0\x1Cftypavif\0\0\0\0", "AVIF"),
            (b"\0\0\0\x1Cftypmif1\0\0\0\0mif1avif", "AVIF"),
            (b"\0\0\0\x1Cftypheic\0\0\0\0", "HEIC"),
            (b"\0\0\0\x1Cftypmif1\0\0\0\0mif1heic", "HEIC"),
            (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
            (b"\xFF\x4F\xFF\x51\0", "JPEG 2000"),
            (b"\xFF\x0A\x10", "JPEG XL"),
            (b"\0\0\0\x0CJXL \r\n\x87\n", "JPEG XL"),
            (
                b"\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- x --><svg width=\"1\">",
                "SVG",
            ),
            (b"8BPS\0\x01", "a Photoshop document"),
            (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw image"),
            (
                b"MM\0*\0\0\0\x08\0\x01\xC6\x12\0\x01\0\0\0\x04\x01\x04\0\0\0\0\0\0",
                "a camera's raw image",
            ),
        ];
        for (bytes, name) in named {
            assert_eq!(sniff(bytes), Sniffed::Unreadable(name), "{bytes:?}");
        }
        for bytes in [
            &b""[..],
            b"P7",
            b"P9\n",
            b"just text",
            b"<html>",
            b"\0\0\0\x18ftypmp42",
            b"RIFF\0\0\0\0WAVE",
        ] {
            assert_eq!(sniff(bytes), Sniffed::Unknown, "{bytes:?}");
        }
        assert_eq!(
            sniff(b"II*\0\xFF\xFF\xFF\xFF"),
            Sniffed::Other(image::ImageFormat::Tiff)
        );
        assert_eq!(sniff(b"P6#"), Sniffed::Other(image::ImageFormat::Pnm));
    }
}
