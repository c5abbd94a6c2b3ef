//! The file format of stored indexes. Parsing any bytes gives an index or one of four errors, takes memory in proportion
//! to their length, and never panics.
//!
//! This file must not touch the disk, nor decide whether an index is up to date.

use std::ffi::OsStr;
use std::path::{Component, PathBuf, is_separator};

use super::bytes::ByteReader;
use super::error::IndexError;
use super::names::Names;
use super::version::VERSION;
use super::{FolderIndex, FolderLayout};
use crate::{LeftOut, LeftOutCount, LeftOutReason};

const MAGIC: [u8; 8] = *b"BTWINIDX";
const HASH_BYTES: usize = blake3::OUT_LEN;

/// An index with its folder and the folders that were listed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIndex {
    /// The absolute path of the indexed folder.
    pub root: PathBuf,
    /// The images.
    pub index: FolderIndex,
    /// Every folder listed, below the root, with the time of its last change in nanoseconds from 1970.
    pub stamps: Vec<(PathBuf, i64)>,
    /// What the listing left out.
    pub left_out: LeftOut,
}

/// Parses a complete stored index: the structure first, then the checksum.
///
/// # Errors
/// [`IndexError`].
pub fn parse_index(bytes: &[u8]) -> Result<StoredIndex, IndexError> {
    let mut rest = ByteReader(bytes);
    if rest.take(MAGIC.len()).ok() != Some(&MAGIC[..]) {
        return Err(IndexError::Foreign);
    }
    let version = rest.u32()?;
    if version != VERSION {
        return Err(IndexError::Version(version));
    }
    let layout = match rest.take(1)?[0] {
        0 => FolderLayout::Flat,
        1 => FolderLayout::Classes,
        2 => FolderLayout::Nested,
        _ => return Err(IndexError::Damaged("an unknown layout")),
    };
    let root = rest.names()?;
    if root.len() != 1 {
        return Err(IndexError::Damaged("not exactly one root"));
    }
    let listed = rest.names()?;
    let mut stamps = Vec::with_capacity(listed.len());
    for folder in listed.iter() {
        let changed = i64::from_le_bytes(rest.array()?);
        stamps.push((below_root(folder)?, changed));
    }
    let folders = rest.names()?;
    let mut files = Vec::with_capacity(folders.len());
    for folder in folders.iter() {
        below_root(folder)?;
        let names = rest.names()?;
        if !names.iter().all(is_file_name) {
            return Err(IndexError::Damaged("a name that is not a file name"));
        }
        files.push(names);
    }
    let prefix = usize::from(rest.take(1)?[0]);
    let left_out = rest.left_out()?;
    let body = bytes.len() - rest.0.len();
    if rest.take(HASH_BYTES)? != blake3::hash(&bytes[..body]).as_bytes() {
        return Err(IndexError::Damaged("the checksum differs"));
    }
    if !rest.0.is_empty() {
        return Err(IndexError::Damaged("trailing bytes"));
    }
    Ok(StoredIndex {
        root: PathBuf::from(root.get(0)),
        index: FolderIndex::from_names(layout, prefix, folders, files),
        stamps,
        left_out,
    })
}

impl StoredIndex {
    /// The bytes that [`parse_index`] parses; `None` if a path is too long or, outside Unix, not Unicode.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut listed = Names::default();
        let mut root = Names::default();
        let known =
            root.push(self.root.as_os_str()) && self.stamps.iter().all(|(path, _)| listed.push(path.as_os_str()));
        if !known {
            return None;
        }
        // The full capacity is allocated at once: growing would take twice the memory.
        let all = [&root, &listed, self.index.folders()]
            .into_iter()
            .chain(self.index.files());
        let names: usize = all.map(|names| 8 + 2 * names.len() + names.bytes().len()).sum();
        let left_out: usize = self.left_out.iter().map(|(_, count)| 64 + count.first.len()).sum();
        let fixed = MAGIC.len() + 16 + HASH_BYTES;
        let mut bytes = Vec::with_capacity(fixed + names + 8 * self.stamps.len() + left_out);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.push(match self.index.layout() {
            FolderLayout::Flat => 0,
            FolderLayout::Classes => 1,
            FolderLayout::Nested => 2,
        });
        write_names(&mut bytes, &root)?;
        write_names(&mut bytes, &listed)?;
        for (_, changed) in &self.stamps {
            bytes.extend(changed.to_le_bytes());
        }
        write_names(&mut bytes, self.index.folders())?;
        for names in self.index.files() {
            write_names(&mut bytes, names)?;
        }
        bytes.push(u8::try_from(self.index.prefix()).ok()?);
        write_left_out(&mut bytes, &self.left_out)?;
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        Some(bytes)
    }
}

/// The number of names, then the length of each, then their characters.
fn write_names(bytes: &mut Vec<u8>, names: &Names) -> Option<()> {
    bytes.extend((names.len() as u64).to_le_bytes());
    for length in names.lengths() {
        bytes.extend(u16::try_from(length).ok()?.to_le_bytes());
    }
    bytes.extend(names.bytes());
    Some(())
}

/// The number of reasons, then for each its code, its number, and its extension and first path with their lengths.
fn write_left_out(bytes: &mut Vec<u8>, left_out: &LeftOut) -> Option<()> {
    bytes.extend(u16::try_from(left_out.iter().len()).ok()?.to_le_bytes());
    for (reason, LeftOutCount { count, first }) in left_out.iter() {
        let (code, extension) = reason.code();
        bytes.push(code);
        bytes.extend(count.to_le_bytes());
        for text in [extension, first] {
            bytes.extend(u16::try_from(text.len()).ok()?.to_le_bytes());
            bytes.extend(text.as_bytes());
        }
    }
    Some(())
}

/// A path that stays below the root; empty for the root itself.
fn below_root(path: &OsStr) -> Result<PathBuf, IndexError> {
    let path = PathBuf::from(path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(path)
    } else {
        Err(IndexError::Damaged("a folder outside the root"))
    }
}

/// Whether a name stays in its folder. Checked on its bytes: creating a path for each of a million names is slow.
fn is_file_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let leads_away = |&byte: &u8| is_separator(char::from(byte)) || byte == 0 || (cfg!(windows) && byte == b':');
    !matches!(bytes, b"" | b"." | b"..") && !bytes.iter().any(leads_away)
}

impl<'a> ByteReader<'a> {
    fn short_text(&mut self) -> Result<&'a str, IndexError> {
        let length = self.u16()?;
        std::str::from_utf8(self.take(usize::from(length))?)
            .map_err(|_| IndexError::Damaged("a text that is not UTF-8"))
    }

    fn left_out(&mut self) -> Result<LeftOut, IndexError> {
        let mut left_out = LeftOut::default();
        let (count, damaged) = (self.u16()?, IndexError::Damaged("an unknown reason"));
        for _ in 0..count {
            let code = self.u8()?;
            let count = self.u64()?;
            let reason = LeftOutReason::from_code(code, self.short_text()?).ok_or(damaged)?;
            let first = self.short_text()?.to_owned();
            left_out.merge_one(reason, LeftOutCount { count, first });
        }
        Ok(left_out)
    }

    fn names(&mut self) -> Result<Names, IndexError> {
        // The lengths are read before memory is allocated for the names, so a false count fails here.
        let count = usize::try_from(self.u64()?).map_err(|_| IndexError::Truncated)?;
        let lengths = self.take(count.checked_mul(2).ok_or(IndexError::Truncated)?)?;
        let lengths = lengths
            .chunks_exact(2)
            .map(|two| usize::from(u16::from_le_bytes([two[0], two[1]])));
        let bytes = self.take(lengths.clone().sum())?;
        Names::from_parts(lengths, bytes).ok_or(IndexError::Damaged("invalid names"))
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
