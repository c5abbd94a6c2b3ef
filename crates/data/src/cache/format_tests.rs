//! Tests of the image cache format with bytes that no honest program writes.

use super::CacheFault;
use super::format::{CacheEntry, CacheIndex, MAX_TEXT};

fn index(entries: &[(u64, usize, usize, usize)]) -> CacheIndex {
    let entry = |&(offset, number, width, height): &(u64, usize, usize, usize)| CacheEntry {
        offset,
        number,
        width,
        height,
        checksum: [5; 16],
    };
    CacheIndex {
        fingerprint: [3; 32],
        channels: 2,
        entries: entries.iter().map(entry).collect(),
        skipped: 1,
        first_skipped: "bad image a.png".into(),
    }
}

fn parse(index: &CacheIndex, pixels: usize) -> Result<CacheIndex, CacheFault> {
    let (header, tail) = index.to_parts(pixels as u64);
    CacheIndex::parse(&[&header[..], &vec![0; pixels], &tail].concat())
}

#[test]
fn what_is_written_is_read() {
    let whole = index(&[(128, 0, 3, 2), (140, 5, 1, 4)]);
    assert_eq!(parse(&whole, 20), Ok(whole));
    assert_eq!(parse(&index(&[]), 0), Ok(index(&[])));
}

/// A checksum protects against accidents, not against an attacker who can compute one.
#[test]
fn an_index_that_contradicts_itself_is_refused_though_its_checksum_fits() {
    for (entries, pixels) in [
        (&[(129, 0, 3, 2)][..], 12),
        (&[(128, 0, 3, 2)], 13),
        (&[(128, 0, 0, 2)], 0),
        (&[(128, 0, 3, 0)], 0),
        (&[(128, 4, 3, 2), (140, 4, 1, 4)], 20),
        (&[(128, 4, 3, 2), (140, 3, 1, 4)], 20),
        (&[(128, 0, 3, 2), (139, 1, 1, 4)], 20),
        (&[(130, 0, 3, 2), (140, 1, 1, 4)], 20),
        (&[(128, 0, u32::MAX as usize, u32::MAX as usize)], 12),
    ] {
        assert_eq!(parse(&index(entries), pixels), Err(CacheFault::Index), "{entries:?}");
    }
    let mut none = index(&[(128, 0, 3, 2)]);
    none.channels = 0;
    assert_eq!(parse(&none, 0), Err(CacheFault::Index));
    let mut long = index(&[]);
    long.first_skipped = "x".repeat(MAX_TEXT + 1);
    assert_eq!(parse(&long, 0), Err(CacheFault::Length));
}

#[test]
fn numbers_that_overflow_are_refused() {
    let (whole, _) = index(&[]).to_parts(0);
    for at in [48, 56, 72] {
        let mut header = whole;
        header[at..at + 8].fill(0xFF);
        assert_eq!(CacheIndex::parse(&header), Err(CacheFault::Length), "number at {at}");
    }
}
