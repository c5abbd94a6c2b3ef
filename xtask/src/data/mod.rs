//! `cargo xtask data`: fetches public image sets from the network into folders that the program reads.
//!
//! The only part of the workspace that uses the network. A set's folder is complete or absent: everything happens in
//! `OUT/NAME.download`, which is renamed at the end and until then holds what an interrupted run resumes from.

mod complete;
mod download;
mod part;
mod progress;
mod sets;
mod stl10;
#[cfg(test)]
mod tests;
mod unpack;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
pub use download::{Patience, Wanted, download};
use progress::megabytes;
use sets::{Form, SETS, Set};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Commands for public sets.
#[derive(Debug, Subcommand)]
pub enum Chore {
    /// Download a set, check it and unpack it; an interrupted download is resumed
    Fetch {
        /// Name of the set
        #[arg(value_parser = PossibleValuesParser::new(SETS.iter().map(|set| set.name)))]
        set: String,
        /// Folder in which the set's folder is created
        #[arg(long, value_name = "DIR", default_value = "data")]
        out: PathBuf,
        /// Download the files from URL/FILENAME instead of the publisher; the checksums stay the same
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
    },
    /// List the sets that can be fetched, with their sizes and terms of use
    List,
}

/// Source and destination of a fetch.
struct Options {
    out: PathBuf,
    mirror: Option<String>,
    patience: Patience,
}

/// The result of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    AlreadyThere,
    Fetched,
}

/// Runs the command. Results go to standard output, progress to standard error.
pub fn run(chore: Chore) -> Result<()> {
    let text = match chore {
        Chore::List => list(),
        Chore::Fetch { set, out, mirror } => {
            let set = Set::named(&set).with_context(|| format!("there is no set {set}"))?;
            let patience = Patience::default();
            let options = Options { out, mirror, patience };
            let outcome = fetch(set, &options)?;
            result(set, &options.out.join(set.name), outcome)
        }
    };
    // A closed pipe is not an error.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn list() -> String {
    let entry = |set: &Set| {
        let (name, about, terms) = (set.name, set.about, set.terms);
        let (size, files) = (megabytes(set.bytes()), set.files.iter().map(|file| file.address));
        let addresses: Vec<&str> = files.collect();
        format!(
            "{name}\n  {about}\n  terms: {terms}\n  {size}: {}\n",
            addresses.join("\n  ")
        )
    };
    SETS.iter().map(entry).collect()
}

/// The last line of the output: the result, and the command to run next.
fn result(set: &Set, folder: &Path, outcome: Outcome) -> String {
    let there = match outcome {
        Outcome::AlreadyThere => "is already there and complete",
        Outcome::Fetched => "is there",
    };
    // Quoted where a shell would split it.
    let path = folder.display().to_string();
    let path = match path.contains(|letter: char| letter.is_whitespace() || "'\"$&;()*?".contains(letter)) {
        true => format!("'{}'", path.replace('\'', r"'\''")),
        false => path,
    };
    format!(
        "{} {there}; next: cargo run -p train --release -- --data {path}\n",
        set.name
    )
}

fn fetch(set: &Set, options: &Options) -> Result<Outcome> {
    let target = options.out.join(set.name);
    if target.exists() {
        complete::check(&target, set)?;
        return Ok(Outcome::AlreadyThere);
    }
    let work = options.out.join(format!("{}.download", set.name));
    unpack::create_folder(&work)?;
    let lock = lock(&work.join("lock"), set)?;
    eprintln!(
        "{}: {} ({}); terms: {}",
        set.name,
        set.about,
        megabytes(set.bytes()),
        set.terms
    );

    let mut archives = Vec::new();
    for file in set.files {
        let address = match &options.mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), file.name()),
            None => file.address.to_owned(),
        };
        let wanted = Wanted {
            address: &address,
            name: file.name(),
            bytes: file.bytes,
            sha256: file.sha256,
            otherwise: "pass another address with --mirror",
        };
        archives.push(download(&wanted, &work, &options.patience)?);
    }
    let unpacked = unpack_all(set, &archives, &work)?;
    complete::seal(&unpacked, set)?;
    fs::rename(&unpacked, &target).with_context(|| format!("cannot create {}", target.display()))?;
    drop(lock);
    // The set is there; a folder that remains only costs disk space.
    if let Err(error) = fs::remove_dir_all(&work) {
        eprintln!("cannot remove {}, which is no longer needed: {error}", work.display());
    }
    Ok(Outcome::Fetched)
}

/// Locks the download: two processes at a time would write into the same part. The lock ends with the process, however that
/// ends.
fn lock(path: &Path, set: &Set) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("{} is being fetched into this folder by another process", set.name),
        // A file system without locks: continue without one, so that the set can still be fetched.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Unpacks into a folder of `work`, from the beginning: what an interrupted run unpacked is discarded.
fn unpack_all(set: &Set, archives: &[PathBuf], work: &Path) -> Result<PathBuf> {
    let (unpacked, binaries) = (work.join("unpacked"), work.join("binaries"));
    for folder in [&unpacked, &binaries] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
    }
    unpack::create_folder(&unpacked)?;
    for archive in archives {
        match set.form {
            Form::Gzip => {
                let name = archive.file_stem().unwrap_or_default();
                unpack::gunzip(archive, &unpacked.join(name), set.max_bytes)?;
            }
            Form::TarGz { top } => unpack::untar(archive, top, &unpacked, set.max_bytes)?,
            Form::Stl10 { top } => {
                unpack::untar(archive, top, &binaries, set.max_bytes)?;
                stl10::convert(&binaries, &unpacked)?;
            }
        }
    }
    Ok(unpacked)
}
