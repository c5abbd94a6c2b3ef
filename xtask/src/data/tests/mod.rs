//! Tests of fetching from a server on this machine: what can go wrong, and the final form of the sets.

mod archives;
mod fetching;
mod resuming;
mod server;

use super::download::{Patience, Wanted};
use super::part::sha256_of;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::time::Duration;

/// Timeouts for tests: no pauses, and a silence that only a server that is really silent exceeds.
const PATIENCE: Patience = Patience {
    retries: 3,
    pause: Duration::from_millis(1),
    connect: Duration::from_secs(20),
    silence: Duration::from_secs(20),
};

/// Bytes that repeat nowhere nearby, so that a wrong join cannot pass.
fn payload(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// SHA-256 in hexadecimal, with the static lifetime of the tables.
fn sha256(bytes: &[u8]) -> &'static str {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    sha256_of(file.path()).expect("read").leak()
}

fn wanted<'a>(address: &'a str, bytes: &[u8]) -> Wanted<'a> {
    Wanted {
        address,
        name: "file.bin",
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
        otherwise: "pass another address with --mirror",
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("written to memory");
    encoder.finish().expect("written to memory")
}

/// A tar.gz of regular files. Names are written unchanged, including those that the `tar` crate refuses to write.
fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).expect("written to memory");
    }
    gzip(&tar.into_inner().expect("written to memory"))
}
