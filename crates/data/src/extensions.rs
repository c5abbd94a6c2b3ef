//! The extensions of image files' names, read and known but not read.
//!
//! This file must not open a file: what one holds is decided by its content.

use std::path::Path;

/// File name extensions of images, case-insensitive. What a file holds is decided by its first bytes alone.
pub const IMAGE_EXTENSIONS: [&str; 16] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff", "gif", "ppm", "pgm", "pbm", "pnm", "qoi",
];

/// File name extensions of images in formats that are not read, case-insensitive.
pub const UNREADABLE_IMAGE_EXTENSIONS: [&str; 39] = [
    "avif", "heic", "heif", "hif", "jp2", "j2k", "jpx", "jpf", "jxl", "jxr", "svg", "svgz", "psd", "ico", "exr", "hdr",
    "dds", "tga", "pcx", "eps", "pdf", "xcf", "pam", "pfm", "raw", "cr2", "cr3", "crw", "nef", "nrw", "arw", "srf",
    "dng", "orf", "rw2", "raf", "pef", "srw", "x3f",
];

/// Whether the name of a file ends as an image's that is read.
pub(crate) fn has_image_extension(path: &Path) -> bool {
    known_extension(path, &IMAGE_EXTENSIONS).is_some()
}

/// The extension, in small letters, of a file name that is an image's in a format that is not read.
///
/// ```
/// assert_eq!(barlow_data::unreadable_image_extension("a/IMG_1.HEIC".as_ref()), Some("heic"));
/// assert_eq!(barlow_data::unreadable_image_extension("a/IMG_1.jpg".as_ref()), None);
/// ```
#[must_use]
pub fn unreadable_image_extension(path: &Path) -> Option<&'static str> {
    known_extension(path, &UNREADABLE_IMAGE_EXTENSIONS)
}

fn known_extension(path: &Path, known: &[&'static str]) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?;
    known
        .iter()
        .find(|known| known.eq_ignore_ascii_case(extension))
        .copied()
}
