//! Writing an image cache: decode, shrink, append; the header last, so that a file cut short never looks whole.
//!
//! Images are made in parallel and written in order, a few at a time: memory does not grow with the set. This file must
//! not know where the bytes go.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

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
                    out.write_all(image.bytes()).map_err(write_error)?;
                    index.entries.push(CacheEntry {
                        offset,
                        number,
                        width: image.width(),
                        height: image.height(),
                        interleaved: matches!(image, Image8::Rgb(_)),
                        checksum,
                    });
                    offset += image.bytes().len() as u64;
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

/// Image `number` as it is stored.
fn make(source: &dyn ImageSource, number: usize, side: Option<usize>) -> Result<(Image8, [u8; 16]), DataError> {
    let image = source.image(number)?;
    if image.channels() != source.channels() {
        return Err(DataError::Cache(CacheError::Channels {
            name: source.name(number),
            found: image.channels(),
            expected: source.channels(),
        }));
    }
    let image = shrink(image, side);
    let checksum = pixel_checksum(image.bytes());
    Ok((image, checksum))
}

fn shorten(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}
