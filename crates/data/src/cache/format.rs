//! The file format of image caches: header, pixels, index. Pure functions without file access; no input is trusted.
//!
//! ```text
//! 0    "BARLOWIC"                     64   u64 images skipped when it was built
//! 8    u32 version                    72   u64 bytes of the error text of the first of them
//! 12   u32 channels                   80   16 zero bytes
//! 16   32 bytes fingerprint           96   32 bytes BLAKE3 of bytes 0..96 and everything from the index on
//! 48   u64 images                     128  pixels, image after image
//! 56   u64 bytes of pixels            128 + bytes of pixels: the index, 40 bytes an image; then the text
//! index: u64 offset, u64 number in the source, u32 width, u32 height, first 16 bytes of the BLAKE3 of
//!        the pixels
//! ```
//! Numbers are little-endian; three channels are interleaved RGB, others planes. This file must not know what the
//! fingerprint is made of.

use super::{CACHE_VERSION, CacheFault};

pub(crate) const HEADER: usize = 128;
const MAGIC: [u8; 8] = *b"BARLOWIC";
const SUMMED: usize = 96;
const ENTRY: usize = 40;
/// Longest text about the first bad image.
pub(crate) const MAX_TEXT: usize = 4096;

/// Position and identity of an image in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheEntry {
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// Its number in the source.
    pub number: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// First bytes of the BLAKE3 hash of the pixels.
    pub checksum: [u8; 16],
}

impl CacheEntry {
    /// Bytes of pixels in an image of `channels` channels.
    #[must_use]
    pub fn bytes(&self, channels: usize) -> usize {
        self.width * self.height * channels
    }
}

/// Everything in a cache but the pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheIndex {
    /// What the cache was made from and how, as a hash.
    pub fingerprint: [u8; 32],
    /// Channels of every image.
    pub channels: usize,
    /// The images, numbers ascending.
    pub entries: Vec<CacheEntry>,
    /// Number of images of the source that were skipped.
    pub skipped: usize,
    /// What was wrong with the first of them.
    pub first_skipped: String,
}

impl CacheIndex {
    /// Parses the bytes of a whole cache file. The pixels are not checked.
    ///
    /// # Errors
    /// [`CacheFault`].
    pub fn parse(file: &[u8]) -> Result<Self, CacheFault> {
        let (header, _) = file.split_first_chunk().ok_or(short_fault(file))?;
        let tail = tail_offset(header, file.len() as u64)?;
        Self::from_parts(header, &file[tail as usize..])
    }

    /// Parses a header and what comes after the pixels.
    pub(crate) fn from_parts(header: &[u8; HEADER], tail: &[u8]) -> Result<Self, CacheFault> {
        if checksum(header, tail)[..] != header[SUMMED..] {
            return Err(CacheFault::Checksum);
        }
        let [channels, count, pixels, skipped, _] = numbers(header);
        let mut next = HEADER as u64;
        let mut entries: Vec<CacheEntry> = Vec::with_capacity(tail.len() / ENTRY);
        for bytes in tail.chunks_exact(ENTRY).take(to_usize(count)?) {
            let (offset, number) = (u64_at(bytes, 0), u64_at(bytes, 8));
            let (width, height) = (u32_at(bytes, 16), u32_at(bytes, 20));
            let possible = offset == next
                && width > 0
                && height > 0
                && entries.last().is_none_or(|last| (last.number as u64) < number);
            // Two u32 fit; the third may not.
            let bytes_of_image = (u64::from(width) * u64::from(height)).checked_mul(channels);
            let end = bytes_of_image
                .and_then(|bytes| offset.checked_add(bytes))
                .filter(|_| possible);
            next = end.ok_or(CacheFault::Index)?;
            entries.push(CacheEntry {
                offset,
                number: to_usize(number)?,
                width: width as usize,
                height: height as usize,
                checksum: bytes[24..].try_into().expect("an entry of 40 bytes"),
            });
        }
        if channels == 0 || Some(next) != pixels.checked_add(HEADER as u64) {
            return Err(CacheFault::Index);
        }
        let text = &tail[entries.len() * ENTRY..];
        Ok(Self {
            fingerprint: header[16..48].try_into().expect("32 bytes of a header"),
            channels: to_usize(channels)?,
            entries,
            skipped: to_usize(skipped)?,
            first_skipped: String::from_utf8(text.to_vec()).map_err(|_| CacheFault::Index)?,
        })
    }

    /// The header, and what follows `pixels` bytes of pixels.
    pub(crate) fn to_parts(&self, pixels: u64) -> ([u8; HEADER], Vec<u8>) {
        let mut tail = Vec::with_capacity(self.entries.len() * ENTRY + self.first_skipped.len());
        for entry in &self.entries {
            tail.extend(entry.offset.to_le_bytes());
            tail.extend((entry.number as u64).to_le_bytes());
            for value in [entry.width as u32, entry.height as u32] {
                tail.extend(value.to_le_bytes());
            }
            tail.extend(entry.checksum);
        }
        tail.extend(self.first_skipped.as_bytes());
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&CACHE_VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&(self.channels as u32).to_le_bytes());
        header[16..48].copy_from_slice(&self.fingerprint);
        let numbers = [
            self.entries.len() as u64,
            pixels,
            self.skipped as u64,
            self.first_skipped.len() as u64,
        ];
        for (at, number) in numbers.into_iter().enumerate() {
            header[48 + 8 * at..][..8].copy_from_slice(&number.to_le_bytes());
        }
        let sum = checksum(&header, &tail);
        header[SUMMED..].copy_from_slice(&sum);
        (header, tail)
    }
}

/// Where the part after the pixels begins, in a file of `len` bytes with this header.
pub(crate) fn tail_offset(header: &[u8; HEADER], len: u64) -> Result<u64, CacheFault> {
    if header[..8] != MAGIC {
        return Err(CacheFault::Foreign);
    }
    let found = u32_at(header, 8);
    if found != CACHE_VERSION {
        return Err(CacheFault::Version { found });
    }
    let [_, count, pixels, _, text] = numbers(header);
    let tail = (HEADER as u64).checked_add(pixels).ok_or(CacheFault::Length)?;
    let entries = count.checked_mul(ENTRY as u64).ok_or(CacheFault::Length)?;
    let end = tail.checked_add(entries).and_then(|end| end.checked_add(text));
    if end != Some(len) || text > MAX_TEXT as u64 {
        return Err(CacheFault::Length);
    }
    Ok(tail)
}

/// What is wrong with a file that is too short for a header.
pub(crate) fn short_fault(file: &[u8]) -> CacheFault {
    let shown = file.len().min(MAGIC.len());
    if file[..shown] == MAGIC[..shown] {
        CacheFault::Length
    } else {
        CacheFault::Foreign
    }
}

/// The checksum in an image's entry.
pub(crate) fn pixel_checksum(pixels: &[u8]) -> [u8; 16] {
    *blake3::hash(pixels)
        .as_bytes()
        .first_chunk()
        .expect("a hash has 32 bytes")
}

fn checksum(header: &[u8; HEADER], tail: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new()
        .update(&header[..SUMMED])
        .update(tail)
        .finalize()
        .as_bytes()
}

/// Channels, images, bytes of pixels, skipped images, bytes of text.
fn numbers(header: &[u8; HEADER]) -> [u64; 5] {
    let [count, pixels, skipped, text] = [48, 56, 64, 72].map(|at| u64_at(header, at));
    [u32_at(header, 12).into(), count, pixels, skipped, text]
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn to_usize(number: u64) -> Result<usize, CacheFault> {
    usize::try_from(number).map_err(|_| CacheFault::Index)
}
