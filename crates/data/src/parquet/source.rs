//! Bytes at positions, a file or memory, and what may go wrong in reading Parquet from them.

use std::fs::File;
use std::io;

use crate::read::read_at;

/// Why a part of a Parquet file cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    /// The file is damaged, or uses something that this reader does not know; one line.
    Bad(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn bad<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Bad(reason.into()))
}

/// A Parquet file.
pub(super) trait Source {
    fn len(&self) -> u64;

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// A range, which must lie in the file: no more memory is taken than the file has bytes.
    fn range(&self, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        if offset.checked_add(length).is_none_or(|end| end > self.len()) {
            return bad("a part of it lies behind its end");
        }
        let length = usize::try_from(length).or_else(|_| bad("a part of it is too large"))?;
        let mut bytes = vec![0; length];
        self.fill(&mut bytes, offset)?;
        Ok(bytes)
    }
}

impl Source for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = start.checked_add(buffer.len()).and_then(|end| self.get(start..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A file on disk with the length that it had when it was opened.
pub(super) struct OnDisk {
    pub(super) file: File,
    pub(super) len: u64,
}

impl Source for OnDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        read_at(&self.file, buffer, offset)
    }
}
