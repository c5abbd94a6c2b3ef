//! Integrity check of a fetched set's folder: `SOURCE.txt` in it records where the set comes from and how much it holds.
//!
//! Why a count and not checksums: it detects the usual accidents (files removed, a copy that ended early) in a second, even
//! among a hundred thousand images. This file must not know the network.

use super::sets::Set;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The file that records where the set comes from.
pub const SOURCE: &str = "SOURCE.txt";

/// Number of files below a folder and their total size in bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Content {
    files: u64,
    bytes: u64,
}

/// Checks that the unpacked `folder` holds all that the set must hold, and writes [`SOURCE`].
pub fn seal(folder: &Path, set: &Set) -> Result<()> {
    if let Some(missing) = missing(folder, set) {
        bail!("the files of {} hold no {missing}: not the published ones", set.name);
    }
    let Set { name, about, terms, .. } = set;
    let mut text = format!("{name}: {about}\nterms: {terms}\n");
    for file in set.files {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} SHA-256 {}", file.address, file.sha256);
    }
    let Content { files, bytes } = content(folder, true)?;
    let _ = writeln!(text, "{files} files, {bytes} bytes beside this one");
    let path = folder.join(SOURCE);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Checks an existing folder.
///
/// # Errors
/// A one-line error: the folder is never overwritten.
pub fn check(folder: &Path, set: &Set) -> Result<()> {
    let advice = "move it away, or pass another --out";
    let place = folder.display();
    let Ok(text) = fs::read_to_string(folder.join(SOURCE)) else {
        bail!("{place} is there, but not from this command (it holds no {SOURCE}): {advice}");
    };
    let sealed = text.lines().last().and_then(parse);
    let found = content(folder, true)?;
    if let Some(missing) = missing(folder, set) {
        bail!("{place} is there, but it lacks {missing}: {advice}");
    }
    if sealed.as_ref() != Some(&found) {
        let Content { files, bytes } = found;
        bail!("{place} was changed: it holds {files} files of {bytes} bytes, not what its {SOURCE} says: {advice}");
    }
    Ok(())
}

fn missing(folder: &Path, set: &Set) -> Option<&'static str> {
    set.holds.iter().copied().find(|path| !folder.join(path).exists())
}

fn parse(line: &str) -> Option<Content> {
    let (files, rest) = line.split_once(" files, ")?;
    let (bytes, _) = rest.split_once(" bytes")?;
    Some(Content {
        files: files.parse().ok()?,
        bytes: bytes.parse().ok()?,
    })
}

/// Counts everything below `folder`, but for [`SOURCE`] at its `top`.
fn content(folder: &Path, top: bool) -> Result<Content> {
    let unreadable = || format!("cannot read {}", folder.display());
    let mut sum = Content::default();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let metadata = entry.metadata().with_context(unreadable)?;
        if metadata.is_dir() {
            let Content { files, bytes } = content(&entry.path(), false)?;
            sum.files += files;
            sum.bytes += bytes;
        } else if !(top && entry.file_name() == SOURCE) {
            sum.files += 1;
            sum.bytes += metadata.len();
        }
    }
    Ok(sum)
}
