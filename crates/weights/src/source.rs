//! Bytes at positions, from a file or from memory.
//!
//! Positioned reads instead of a memory map: a file that shrinks while it is read is an error, not a signal, and needs no
//! `unsafe`.

use crate::error::Fault;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A file that is read on demand, or bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(Arc<File>, u64),
    Memory(Arc<[u8]>),
}

impl Source {
    pub fn of_file(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "a folder, not a weight file",
            ));
        }
        Ok(Self::File(Arc::new(file), metadata.len()))
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::File(_, len) => *len,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file, _) => read_exact_at(file, buffer, offset),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).ok();
                let found = start.and_then(|start| bytes.get(start..start.checked_add(buffer.len())?));
                let found = found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
                buffer.copy_from_slice(found);
                Ok(())
            }
        }
    }

    /// The `len` bytes from `offset` on, which are inside the file or an error that names `what`. Nothing is allocated before
    /// that is known.
    pub fn part(&self, offset: u64, len: u64, what: &str) -> Result<Vec<u8>, Fault> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len());
        let len = usize::try_from(len).ok().filter(|_| inside);
        let mut bytes = vec![0; len.ok_or_else(|| Fault::truncated(what))?];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        offset += read as u64;
    }
    Ok(())
}
