//! The file format of stored tar indexes. Parsing any bytes gives indexes or an error, takes memory in proportion to their
//! length, and never panics.
//!
//! This file must not touch the disk, nor decide whether an index is up to date.

use super::header::BLOCK;
use super::{TarFault, TarIndex};
use crate::IndexError;
use crate::index::ByteReader;
use crate::read::MAX_FILE_BYTES;
use crate::shards::NO_LABEL;

const MAGIC: [u8; 8] = *b"BTWINTAR";
/// Incremented when the format changes or when other members count as images or labels than before.
const VERSION: u32 = 1;
const HASH_BYTES: usize = blake3::OUT_LEN;

/// A tar that was indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarStamp {
    /// Its absolute path.
    pub path: String,
    /// Its size in bytes and modification time in ns.
    pub stamp: [u64; 2],
}

/// Tars with their indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredTars(pub Vec<(TarStamp, TarIndex)>);

/// Parses complete stored indexes: the structure first, then the checksum.
///
/// # Errors
/// [`IndexError`].
pub fn parse_tar_indexes(bytes: &[u8]) -> Result<StoredTars, IndexError> {
    let mut rest = ByteReader(bytes);
    if rest.take(MAGIC.len()).ok() != Some(&MAGIC[..]) {
        return Err(IndexError::Foreign);
    }
    let version = rest.u32()?;
    if version != VERSION {
        return Err(IndexError::Version(version));
    }
    let mut tars = Vec::new();
    for _ in 0..rest.u32()? {
        tars.push(rest.tar()?);
    }
    let body = bytes.len() - rest.0.len();
    if rest.take(HASH_BYTES)? != blake3::hash(&bytes[..body]).as_bytes() {
        return Err(IndexError::Damaged("the checksum differs"));
    }
    if !rest.0.is_empty() {
        return Err(IndexError::Damaged("trailing bytes"));
    }
    Ok(StoredTars(tars))
}

/// The bytes that [`parse_tar_indexes`] parses.
pub(super) fn to_bytes<'a>(tars: impl ExactSizeIterator<Item = (&'a TarStamp, &'a TarIndex)> + Clone) -> Vec<u8> {
    // The full capacity is allocated at once: growing would take twice the memory.
    let texts = |index: &TarIndex| index.texts.iter().map(|(text, _)| text.len() + 5).sum::<usize>();
    let size = |(stamp, index): (&TarStamp, &TarIndex)| {
        stamp.path.len() + index.names.len() + 16 * index.len() + texts(index) + 1024
    };
    let mut out = Vec::with_capacity(tars.clone().map(size).sum::<usize>() + 64);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend((tars.len() as u32).to_le_bytes());
    for (stamp, index) in tars {
        text(&mut out, &stamp.path);
        out.extend(stamp.stamp.iter().flat_map(|number| number.to_le_bytes()));
        out.extend((index.len() as u32).to_le_bytes());
        out.extend((index.names.len() as u32).to_le_bytes());
        out.extend(&index.names);
        for list in [&index.ends, &index.blocks, &index.sizes, &index.labels] {
            out.extend(list.iter().flat_map(|number| number.to_le_bytes()));
        }
        out.extend((index.texts.len() as u32).to_le_bytes());
        for (label, is_text) in index.texts.iter() {
            out.push(u8::from(is_text));
            text(&mut out, label);
        }
        out.push(u8::from(index.has_captions));
        out.push(index.faults.len() as u8);
        for (fault, (count, first)) in &index.faults {
            out.push(
                TarFault::ALL
                    .iter()
                    .position(|known| known == fault)
                    .unwrap_or_default() as u8,
            );
            out.extend(count.to_le_bytes());
            text(&mut out, first);
        }
        out.push(index.others.len() as u8);
        for (extension, count, first) in &index.others {
            text(&mut out, extension);
            out.extend(count.to_le_bytes());
            text(&mut out, first);
        }
    }
    let hash = blake3::hash(&out);
    out.extend(hash.as_bytes());
    out
}

impl StoredTars {
    /// The bytes that [`parse_tar_indexes`] parses.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self.0.iter().map(|(stamp, index)| (stamp, index)))
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

impl ByteReader<'_> {
    fn text(&mut self) -> Result<String, IndexError> {
        let length = self.u32()? as usize;
        let text = std::str::from_utf8(self.take(length)?);
        Ok(text
            .map_err(|_| IndexError::Damaged("text that is not UTF-8"))?
            .to_owned())
    }

    fn flag(&mut self) -> Result<bool, IndexError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(IndexError::Damaged("a flag that is neither 0 nor 1")),
        }
    }

    fn list(&mut self, len: usize) -> Result<Vec<u32>, IndexError> {
        let bytes = self.take(len.checked_mul(4).ok_or(IndexError::Truncated)?)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers.iter().map(|&number| u32::from_le_bytes(number)).collect())
    }

    fn tar(&mut self) -> Result<(TarStamp, TarIndex), IndexError> {
        let stamp = TarStamp {
            path: self.text()?,
            stamp: [self.u64()?, self.u64()?],
        };
        let mut index = TarIndex::default();
        let len = self.u32()? as usize;
        let names = self.u32()? as usize;
        index.names = self.take(names)?.to_vec();
        index.ends = self.list(len)?;
        index.blocks = self.list(len)?;
        index.sizes = self.list(len)?;
        index.labels = self.list(len)?;
        for _ in 0..self.u32()? {
            let is_text = self.flag()?;
            let label = self.text()?;
            index.texts.push(&label, is_text);
        }
        index.has_captions = self.flag()?;
        for _ in 0..self.u8()? {
            let fault = TarFault::ALL.get(usize::from(self.u8()?));
            let fault = *fault.ok_or(IndexError::Damaged("an unknown fault"))?;
            index.faults.insert(fault, (self.u64()?, self.text()?));
        }
        for _ in 0..self.u8()? {
            index.others.push((self.text()?, self.u64()?, self.text()?));
        }
        check(&index, stamp.stamp[0])?;
        Ok((stamp, index))
    }
}

/// Whether an index is one of a tar of `size` bytes.
fn check(index: &TarIndex, size: u64) -> Result<(), IndexError> {
    let ascends = index.ends.windows(2).all(|two| two[0] <= two[1]);
    if !ascends || index.ends.last().map_or(0, |&end| end as usize) != index.names.len() {
        return Err(IndexError::Damaged("invalid names"));
    }
    let is_inside = |(&block, &bytes): (&u32, &u32)| {
        u64::from(bytes) <= MAX_FILE_BYTES && u64::from(block) * BLOCK as u64 + u64::from(bytes) <= size
    };
    if !index.blocks.iter().zip(&index.sizes).all(is_inside) {
        return Err(IndexError::Damaged("an image outside its shard"));
    }
    let is_known = |&label: &u32| label == NO_LABEL || (label as usize) < index.texts.len();
    if !index.labels.iter().all(is_known) {
        return Err(IndexError::Damaged("an unknown label"));
    }
    Ok(())
}
