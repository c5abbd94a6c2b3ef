//! Safe unpacking of archives into a folder: nothing outside it, no links, no more bytes than expected.
//!
//! Why these checks after a checksum: `--mirror` and the table may be wrong, and a path that leaves the folder is never
//! correct. This file must not know sets.

use super::progress::{Progress, Unit};
use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use tar::{Archive, EntryType};

/// Unpacks the gzip `archive` to the file `to`, of at most `max_bytes` bytes.
pub fn gunzip(archive: &Path, to: &Path, max_bytes: u64) -> Result<()> {
    let (file, mut progress) = open(archive)?;
    let mut bytes = MultiGzDecoder::new(BufReader::new(progress.reading(file)));
    let written = copy(&mut bytes, to, max_bytes + 1, archive)?;
    ensure!(written <= max_bytes, too_large(archive, max_bytes));
    Ok(())
}

/// Unpacks everything below the folder `top` of the tar.gz `archive` into the folder `to`, at most `max_bytes` bytes.
pub fn untar(archive: &Path, top: &str, to: &Path, max_bytes: u64) -> Result<()> {
    let (file, mut progress) = open(archive)?;
    let damaged = || damaged(archive);
    // Headers count too, so the stream has a separate limit: a file of a few bytes takes a kilobyte in a tar.
    let stream = MultiGzDecoder::new(BufReader::new(progress.reading(file))).take(max_bytes.saturating_mul(2));
    let mut tar = Archive::new(stream);
    let mut left = max_bytes;
    for entry in tar.entries().with_context(damaged)? {
        let mut entry = entry.with_context(damaged)?;
        let path = entry.path().with_context(damaged)?.into_owned();
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let Some(below) = inside(&path, top) else {
            bail!(
                "{} holds {}, which is outside of its folder {top}: nothing was kept",
                archive.display(),
                path.display()
            );
        };
        let target = to.join(&below);
        match kind {
            EntryType::Directory => create_folder(&target)?,
            EntryType::Regular | EntryType::Continuous => {
                create_folder(target.parent().unwrap_or(to))?;
                ensure!(entry.size() <= left, too_large(archive, max_bytes));
                left -= copy(&mut entry, &target, u64::MAX, archive)?;
            }
            _ => bail!(
                "{} holds {}, which is neither file nor folder: nothing was kept",
                archive.display(),
                path.display()
            ),
        }
    }
    // Read what follows the last file: the checksum of the gzip stream is there.
    io::copy(&mut tar.into_inner(), &mut io::sink()).with_context(damaged)?;
    Ok(())
}

/// Creates a folder and those above it.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// The part of `path` below the folder `top`; `None` if it lies elsewhere.
fn inside(path: &Path, top: &str) -> Option<PathBuf> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir).peekable();
    if parts.peek().is_none() {
        // The entry `./` itself.
        return Some(PathBuf::new());
    }
    if parts.next() != Some(Component::Normal(top.as_ref())) {
        return None;
    }
    parts
        .map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect()
}

fn open(archive: &Path) -> Result<(File, Progress)> {
    let opened = File::open(archive).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (len, file) = opened.with_context(|| format!("cannot read {}", archive.display()))?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    Ok((file, Progress::new(format!("unpacking {name}"), Unit::Bytes, 0, len)))
}

/// Writes `from` to the file `to`, at most `max_bytes` bytes, and returns their number. Read and write errors are separate,
/// because a damaged archive and a full disk need different actions of the user.
fn copy(from: &mut impl Read, to: &Path, max_bytes: u64, archive: &Path) -> Result<u64> {
    let unwritable = || format!("cannot write {}", to.display());
    let mut file = File::create_new(to).with_context(unwritable)?;
    let (mut buffer, mut written) = (vec![0; 1 << 16], 0);
    while written < max_bytes {
        let room = buffer
            .len()
            .min(usize::try_from(max_bytes - written).unwrap_or(usize::MAX));
        let count = from.read(&mut buffer[..room]).with_context(|| damaged(archive))?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count]).with_context(unwritable)?;
        written += count as u64;
    }
    Ok(written)
}

fn damaged(archive: &Path) -> String {
    format!("{} is damaged; remove it and run again", archive.display())
}

fn too_large(archive: &Path, max_bytes: u64) -> String {
    format!(
        "{} holds more than the {max_bytes} bytes it may: not the published file",
        archive.display()
    )
}
