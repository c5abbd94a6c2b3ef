//! Writer of image caches: decode, shrink, append; the header last, so that a truncated file never looks complete.
//!
//! Images are made in parallel and written in order, a few at a time: memory does not grow with the set. This file must
//! not know where the bytes go.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use barlow_augment::{CropBox, Image8, resize_bicubic};
use rayon::prelude::*;

use super::format::{CacheEntry, CacheIndex, HEADER, MAX_TEXT, pixel_checksum};
use super::{CacheError, DiskCacheConfig};
use crate::{BadImages, DataError, ImageSource};

/// Images in memory for each thread.
const PER_THREAD: usize = 8;

/// Writes the cache of `source` to `out`, which is empty. `path` is for messages.
pub(crate) fn build(
    out: impl Write + Seek,
    path: &Path,
    source: &dyn ImageSource,
    config: &DiskCacheConfig,
    fingerprint: [u8; 32],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), DataError> {
    let write_error = |error| DataError::Cache(CacheError::write(path, error));
    let workers = config.threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
    let pool = pool.map_err(|error| DataError::Threads {
        workers,
        reason: error.to_string(),
    })?;
    let mut index = CacheIndex {
        fingerprint,
        channels: source.channels(),
        entries: Vec::with_capacity(source.len()),
        skipped: 0,
        first_skipped: String::new(),
    };
    let mut out = BufWriter::new(out);
    out.write_all(&[0; HEADER]).map_err(write_error)?;
    let (mut offset, chunk) = (HEADER as u64, PER_THREAD * workers);
    for start in (0..source.len()).step_by(chunk) {
        let numbers = start..(start + chunk).min(source.len());
        let (done, make) = (numbers.end, |number| make(source, number, config.side));
        let images: Vec<_> = pool.install(|| numbers.clone().into_par_iter().map(make).collect());
        for (number, made) in numbers.zip(images) {
            match made {
                Ok((image, checksum)) => {
                    out.write_all(image.pixels()).map_err(write_error)?;
                    index.entries.push(CacheEntry {
                        offset,
                        number,
                        width: image.width(),
                        height: image.height(),
                        checksum,
                    });
                    offset += image.bytes() as u64;
                }
                Err(error) if config.bad_images == BadImages::Skip && error.is_bad_image() => {
                    if index.skipped == 0 {
                        index.first_skipped = shorten(error.to_string());
                    }
                    index.skipped += 1;
                }
                Err(error) => return Err(error),
            }
        }
        progress(done, source.len());
    }
    if index.entries.is_empty() && index.skipped > 0 {
        return Err(DataError::AllBad {
            count: index.skipped,
            first: index.first_skipped,
        });
    }
    let (header, tail) = index.to_parts(offset - HEADER as u64);
    out.write_all(&tail).map_err(write_error)?;
    out.seek(SeekFrom::Start(0)).map_err(write_error)?;
    out.write_all(&header).map_err(write_error)?;
    out.flush().map_err(write_error)
}

/// Image `number` as it is stored, with its checksum.
fn make(source: &dyn ImageSource, number: usize, side: Option<usize>) -> Result<(Arc<Image8>, [u8; 16]), DataError> {
    let image = shrink(source.image(number)?, side);
    let (found, expected) = (image.channels(), source.channels());
    let is_rgb = matches!(*image, Image8::Rgb(_));
    assert!(
        found == expected && is_rgb == (found == 3),
        "{} has {found} channels (RGB: {is_rgb}), but its set has {expected}",
        source.name(number)
    );
    let checksum = pixel_checksum(image.pixels());
    Ok((image, checksum))
}

/// The image with a shorter side of at most `side`; the longer one is truncated to whole pixels, as in torchvision's
/// `Resize`.
fn shrink(image: Arc<Image8>, side: Option<usize>) -> Arc<Image8> {
    let (width, height) = (image.width(), image.height());
    let shorter = width.min(height);
    match side {
        Some(side) if side < shorter => {
            let [width_after, height_after] = [width, height].map(|length| side * length / shorter);
            let whole = CropBox::whole(width, height);
            Arc::new(resize_bicubic(&image, whole, width_after, height_after))
        }
        _ => image,
    }
}

fn shorten(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;
    use crate::MemorySet;

    /// A disk with room for this many bytes, which then fails with the given error.
    struct Small(usize, ErrorKind);

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(self.1)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }

    impl Seek for Small {
        fn seek(&mut self, _: SeekFrom) -> Result<u64, Error> {
            Ok(0)
        }
    }

    #[test]
    fn a_full_disk_is_an_error_of_its_own_wherever_it_fills_up() {
        let image = Image8::from(barlow_augment::RgbImage8::from_fn(100, 100, |_, _| [1, 2, 3]));
        let source = MemorySet::new(vec![image], None, vec![]);
        let config = DiskCacheConfig {
            key: [0; 32],
            side: None,
            bad_images: BadImages::Error,
            threads: 1,
        };
        let build = |room, kind| {
            let path = Path::new("somewhere/cache");
            build(Small(room, kind), path, &source, &config, [0; 32], &mut |_, _| {})
        };
        // Header, pixels, index, and the header again.
        let whole = HEADER + 30_000 + 40 + HEADER;
        build(whole, ErrorKind::StorageFull).unwrap();
        for room in [0, HEADER, 20_000, HEADER + 30_000, whole - 1] {
            let error = build(room, ErrorKind::StorageFull).unwrap_err();
            assert!(
                matches!(&error, DataError::Cache(CacheError::DiskFull { .. })),
                "{room}: {error}"
            );
            assert!(error.to_string().contains("somewhere/cache"), "{error}");
        }
        let error = build(20_000, ErrorKind::PermissionDenied).unwrap_err();
        assert!(matches!(error, DataError::Cache(CacheError::Write { .. })), "{error}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = shorten("ä".repeat(MAX_TEXT));
        assert_eq!((cut.len(), cut.chars().count()), (MAX_TEXT, MAX_TEXT / 2));
        assert_eq!(shorten("short".into()), "short");
    }
}
