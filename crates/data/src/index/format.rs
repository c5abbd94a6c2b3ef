//! The bytes of a stored index. Whatever the bytes, reading them gives an index or one of four reasons, takes memory in
//! proportion to them, and never panics.
//!
//! This file must not touch the disk, nor judge whether an index is still true.

use std::ffi::OsStr;
use std::path::{Component, PathBuf, is_separator};

use super::names::Names;
use super::{FolderIndex, FolderLayout};

const MAGIC: [u8; 8] = *b"BTWINIDX";
/// Raised when the bytes change their meaning or when a listing takes other files than before.
const VERSION: u32 = 1;
const HASH_BYTES: usize = blake3::OUT_LEN;

/// An index with the folder it is of and the folders that were listed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIndex {
    /// The absolute path of the folder that the index is of.
    pub root: PathBuf,
    /// The images.
    pub index: FolderIndex,
    /// Every folder listed, below the root, with the time of its last change in nanoseconds from 1970.
    pub stamps: Vec<(PathBuf, i64)>,
}

/// Why bytes are no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// They begin otherwise.
    #[error("not an index")]
    Foreign,
    /// Another release wrote them.
    #[error("of version {0} instead of {VERSION}")]
    Version(u32),
    /// They end too early.
    #[error("cut short")]
    Truncated,
    /// They contradict themselves or their checksum.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

/// Reads a stored index, all of it: structure first, then its checksum.
///
/// # Errors
/// [`IndexError`].
pub fn parse_index(bytes: &[u8]) -> Result<StoredIndex, IndexError> {
    let mut rest = Reader(bytes);
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
        return Err(IndexError::Damaged("not one root"));
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
            return Err(IndexError::Damaged("a name that is none of a file"));
        }
        files.push(names);
    }
    let body = bytes.len() - rest.0.len();
    if rest.take(HASH_BYTES)? != blake3::hash(&bytes[..body]).as_bytes() {
        return Err(IndexError::Damaged("the checksum differs"));
    }
    if !rest.0.is_empty() {
        return Err(IndexError::Damaged("something follows it"));
    }
    Ok(StoredIndex {
        root: PathBuf::from(root.get(0)),
        index: FolderIndex::from_names(layout, folders, files),
        stamps,
    })
}

impl StoredIndex {
    /// The bytes that [`parse_index`] reads; `None` if a path is too long or, outside Unix, not Unicode.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut listed = Names::default();
        let mut root = Names::default();
        let known =
            root.push(self.root.as_os_str()) && self.stamps.iter().all(|(path, _)| listed.push(path.as_os_str()));
        if !known {
            return None;
        }
        // Room for all of it at once: growing would take it twice.
        let all = [&root, &listed, self.index.folders()]
            .into_iter()
            .chain(self.index.files());
        let names: usize = all.map(|names| 8 + 2 * names.len() + names.bytes().len()).sum();
        let mut bytes = Vec::with_capacity(MAGIC.len() + 5 + names + 8 * self.stamps.len() + HASH_BYTES);
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
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        Some(bytes)
    }
}

/// Number of names, then the length of each, then their letters.
fn write_names(bytes: &mut Vec<u8>, names: &Names) -> Option<()> {
    bytes.extend((names.len() as u64).to_le_bytes());
    for length in names.lengths() {
        bytes.extend(u16::try_from(length).ok()?.to_le_bytes());
    }
    bytes.extend(names.bytes());
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

/// Whether a name stays in its folder. By its bytes: a path of its own for each of a million names takes its time.
fn is_file_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let leads_away = |&byte: &u8| is_separator(char::from(byte)) || byte == 0 || (cfg!(windows) && byte == b':');
    !matches!(bytes, b"" | b"." | b"..") && !bytes.iter().any(leads_away)
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], IndexError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(IndexError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], IndexError> {
        self.take(N)?.try_into().map_err(|_| IndexError::Truncated)
    }

    fn u32(&mut self) -> Result<u32, IndexError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn names(&mut self) -> Result<Names, IndexError> {
        // Lengths are there before room is made for as many: a lying number ends here.
        let count = usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| IndexError::Truncated)?;
        let lengths = self.take(count.checked_mul(2).ok_or(IndexError::Truncated)?)?;
        let lengths = lengths
            .chunks_exact(2)
            .map(|two| usize::from(u16::from_le_bytes([two[0], two[1]])));
        let bytes = self.take(lengths.clone().sum())?;
        Names::from_parts(lengths, bytes).ok_or(IndexError::Damaged("names of other letters"))
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
