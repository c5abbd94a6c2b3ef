//! Tests of the index format against damage: parsing returns what was written, or an error.

use super::*;

fn stored() -> StoredIndex {
    let folders = [("a", vec!["1.png", "2.png"]), ("b", vec!["x.jpg"])];
    StoredIndex {
        root: "/data/photos".into(),
        index: FolderIndex::new(FolderLayout::Classes, folders).unwrap(),
        stamps: vec![("".into(), -5), ("a".into(), i64::MAX), ("b".into(), 7)],
        left_out: left_out(),
    }
}

fn left_out() -> LeftOut {
    let mut left_out = LeftOut::default();
    left_out.add(LeftOutReason::Leftover, ".DS_Store");
    left_out.add(LeftOutReason::of_extension(Some("webp")), "a/ä.webp");
    left_out.add(LeftOutReason::of_extension(Some("webp")), "a/z.webp");
    left_out
}

/// Bytes with a correct checksum, so that only their structure is wrong.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - HASH_BYTES);
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    bytes
}

#[test]
fn an_index_comes_back_as_it_was_stored() {
    assert_eq!(parse_index(&stored().to_bytes().unwrap()), Ok(stored()));
}

#[test]
fn no_cut_and_no_flipped_bit_goes_unnoticed() {
    let bytes = stored().to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(
            parse_index(&bytes[..length]).is_err(),
            "{length} of {} bytes",
            bytes.len()
        );
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(parse_index(&flipped).is_err(), "bit {bit}");
    }
    assert_eq!(
        parse_index(&[bytes, vec![0]].concat()),
        Err(IndexError::Damaged("trailing bytes"))
    );
}

#[test]
fn other_files_and_versions_are_told_apart() {
    assert_eq!(parse_index(b"\x89PNG\r\n\x1a\n and so on"), Err(IndexError::Foreign));
    let mut bytes = stored().to_bytes().unwrap();
    bytes[8] = 9;
    assert_eq!(parse_index(&sealed(bytes)), Err(IndexError::Version(9)));
}

#[test]
fn a_lying_count_takes_no_memory() {
    let bytes = stored().to_bytes().unwrap();
    for count in [u64::MAX, u64::MAX / 2, 1 << 40] {
        let mut lying = bytes.clone();
        lying[13..21].copy_from_slice(&count.to_le_bytes());
        assert_eq!(parse_index(&sealed(lying)), Err(IndexError::Truncated));
    }
}

#[test]
fn names_that_lead_out_of_the_root_are_refused() {
    for (folder, file) in [
        ("..", "x.png"),
        ("/etc", "x.png"),
        ("a", "../x.png"),
        ("a", ".."),
        ("a", ""),
    ] {
        let mut stored = stored();
        stored.index = FolderIndex::new(FolderLayout::Classes, [(folder, [file])]).unwrap();
        let parsed = parse_index(&stored.to_bytes().unwrap());
        assert!(
            matches!(parsed, Err(IndexError::Damaged(_))),
            "{folder} {file}: {parsed:?}"
        );
    }
}
