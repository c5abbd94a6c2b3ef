//! [`Part`], a partially downloaded file: its bytes on disk, their number, and the SHA-256 so far.
//!
//! Why it is hashed while it is written: a set of gigabytes is then read once. This file must not know the network.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A growing file `NAME.part`. Everything that was appended is on disk if the process is killed.
pub struct Part {
    path: PathBuf,
    file: File,
    len: u64,
    hasher: Sha256,
}

impl Part {
    /// Opens what an earlier run left at `path`, or an empty file.
    pub fn open(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let mut hasher = Sha256::new();
        let len = hash(&mut file, &mut hasher).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            path,
            file,
            len,
            hasher,
        })
    }

    /// Number of bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds `bytes` at the end.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Discards the bytes so far.
    pub fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.with_context(|| format!("cannot write {}", self.path.display()))?;
        (self.len, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    /// SHA-256 of the bytes so far, in hexadecimal.
    pub fn sha256(&self) -> String {
        hexadecimal(self.hasher.clone())
    }

    /// Renames the complete file to `to`.
    pub fn finish(self, to: &Path) -> Result<()> {
        let synced = self.file.sync_all();
        // Windows cannot rename an open file.
        drop(self.file);
        synced
            .and_then(|()| std::fs::rename(&self.path, to))
            .with_context(|| format!("cannot write {}", to.display()))
    }

    /// Removes a wrong file.
    pub fn remove(self) -> Result<()> {
        drop(self.file);
        std::fs::remove_file(&self.path).with_context(|| format!("cannot remove {}", self.path.display()))
    }
}

/// SHA-256 of the file at `path`, in hexadecimal.
pub fn sha256_of(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    File::open(path)
        .and_then(|mut file| hash(&mut file, &mut hasher))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hexadecimal(hasher))
}

fn hash(file: &mut File, hasher: &mut Sha256) -> io::Result<u64> {
    let (mut buffer, mut len) = (vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(len),
            count => {
                hasher.update(&buffer[..count]);
                len += count as u64;
            }
        }
    }
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "abc", the first example of FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_part_goes_on_where_it_was_left_and_knows_its_checksum() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, whole) = (folder.path().join("x.part"), folder.path().join("x"));
        let mut part = Part::open(path.clone()).expect("a new part");
        part.append(b"ab").expect("written");
        drop(part);
        let mut part = Part::open(path.clone()).expect("the same part");
        assert_eq!(part.len(), 2);
        part.append(b"c").expect("written");
        assert_eq!(part.sha256(), ABC);
        part.finish(&whole).expect("renamed");
        assert_eq!(std::fs::read(&whole).expect("the file"), b"abc");
        assert_eq!(sha256_of(&whole).expect("the file"), ABC);
        assert!(!path.exists());
    }

    #[test]
    fn a_restarted_part_forgets_its_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut part = Part::open(folder.path().join("x.part")).expect("a new part");
        part.append(b"something longer").expect("written");
        part.restart().expect("emptied");
        part.append(b"abc").expect("written");
        assert_eq!((part.len(), part.sha256().as_str()), (3, ABC));
        part.remove().expect("removed");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
