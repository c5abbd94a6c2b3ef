//! Damaged and hostile files: one clear line each, no panic.

use std::collections::BTreeMap;

use barlow_weights::{Fault, OutTensor, Values, WeightsFile, write_pth, write_safetensors};

use crate::fixtures::path;

/// The error of opening `bytes`, which is one line.
fn error(bytes: &[u8]) -> (Fault, String) {
    let error = WeightsFile::from_bytes(bytes).expect_err("damaged");
    let line = error.to_string();
    assert!(
        !line.is_empty() && line.len() < 500 && !line.contains(['\n', '\r']),
        "{line:?}"
    );
    (error.fault, line)
}

/// Opens and reads all, where both are possible.
fn try_all(bytes: &[u8]) -> bool {
    let Ok(file) = WeightsFile::from_bytes(bytes) else {
        error(bytes);
        return false;
    };
    for info in file.tensors() {
        if info.bytes < 1 << 20 {
            file.read_raw(&info.name).unwrap();
        }
    }
    true
}

#[test]
fn a_file_that_is_cut_anywhere_is_an_error() {
    for name in ["zip.pth", "legacy.pth", "tar.pth", "small.pth", "types.safetensors"] {
        let bytes = std::fs::read(path(name)).unwrap();
        for part in 0..100 {
            // A tar archive is padded with zeros.
            let whole = if name == "tar.pth" {
                bytes.len() / 3
            } else {
                bytes.len()
            };
            let cut = whole * part / 100;
            let (_, line) = error(&bytes[..cut]);
            assert!(
                cut == 0 || line.contains("ends inside") || part < 8,
                "{name} cut at {cut}: {line}"
            );
        }
    }
}

#[test]
fn a_flipped_byte_is_no_panic() {
    for name in [
        "zip.pth",
        "legacy.pth",
        "tar.pth",
        "protocol-5.pth",
        "types.safetensors",
    ] {
        let bytes = std::fs::read(path(name)).unwrap();
        for at in (0..bytes.len()).step_by(23) {
            for mask in [1, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                try_all(&flipped);
            }
        }
    }
}

#[test]
fn archives_with_wrong_contents_are_named() {
    for (name, expected) in [
        ("bad-big-endian.pth", "big-endian machine"),
        ("bad-bomb.pth", "is compressed, which torch never does"),
        (
            "bad-short-storage.pth",
            "the tensor 'second': its storage '1' has only 8 bytes",
        ),
        (
            "bad-missing-storage.pth",
            "the tensor 'second': its storage '1' is missing in the file",
        ),
        (
            "bad-offset.pth",
            "the tensor 'second': shape [2, 2], strides [2, 1] and offset 3 reach past the end",
        ),
    ] {
        let line = WeightsFile::open(path(name)).unwrap_err().to_string();
        assert!(
            line.contains(expected) && line.contains(name) && !line.contains('\n'),
            "{line}"
        );
    }
}

#[test]
fn other_files_are_named() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\x80\x02}.", "a pickle that torch did not write"),
        (b"<!DOCTYPE html>", "the download failed"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"hello, world", "no format that is known"),
    ] {
        let (_, line) = error(bytes);
        assert!(line.contains(expected), "{line}");
    }
    assert!(
        WeightsFile::open(path(""))
            .unwrap_err()
            .to_string()
            .contains("a folder")
    );
    assert!(WeightsFile::open(path("absent.pth")).is_err());
}

/// A legacy file of one pickle: the magic number, the version, the machine, `pickle`, no storages.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    [&magic[..], pickle, b"\x80\x02]."].concat()
}

#[test]
fn pickles_that_grow_are_refused() {
    assert!(WeightsFile::from_bytes(legacy(b"\x80\x02}.")).is_ok());
    // A list of ten times the previous list, forty times over.
    let mut memo_bomb = b"\x80\x02]".to_vec();
    for level in 0..40u8 {
        memo_bomb.extend([b'q', level, b'(']);
        memo_bomb.extend([b'h', level].repeat(10));
        memo_bomb.push(b'l');
    }
    memo_bomb.push(b'.');
    let (fault, _) = error(&legacy(&memo_bomb));
    assert!(matches!(fault, Fault::Limit { .. }), "{fault}");
    let nested = [&b"\x80\x02"[..], &b"]".repeat(100_000), &b"a".repeat(99_999), b"."].concat();
    let (fault, _) = error(&legacy(&nested));
    assert!(matches!(fault, Fault::Limit { what: "nesting", .. }), "{fault}");
    let (fault, _) = error(&legacy(b"\x80\x02]q\x00h\x00a."));
    assert!(
        matches!(fault, Fault::Limit { what: "nesting", .. }),
        "a list in itself: {fault}"
    );
    let marks = [&b"\x80\x02"[..], &b"(".repeat(5 << 20), b"."].concat();
    assert!(matches!(error(&legacy(&marks)).0, Fault::Limit { .. }));
    let values = [&b"\x80\x02("[..], &b"N".repeat(5 << 20), b"t."].concat();
    assert!(matches!(error(&legacy(&values)).0, Fault::Limit { .. }));
    let stored = b"\x80\x02X\x01\0\0\0aq\xff.";
    assert!(WeightsFile::from_bytes(legacy(stored)).is_ok());
}

#[test]
fn a_long_text_that_is_used_often_is_refused() {
    let mut pickle = b"\x80\x02X\0\0\x08\0".to_vec();
    pickle.extend(b"a".repeat(0x8_0000));
    pickle.extend(b"q\x00(");
    pickle.extend(b"h\x00".repeat(100_000));
    pickle.extend(b"l.");
    let (fault, _) = error(&legacy(&pickle));
    assert!(matches!(fault, Fault::Limit { .. }), "{fault}");
}

#[test]
fn big_endian_legacy_files_are_refused() {
    let bytes = std::fs::read(path("small-legacy.pth")).unwrap();
    let key = b"little_endian";
    let at = bytes.windows(key.len()).position(|part| part == key).unwrap();
    let value = at + bytes[at..].iter().position(|&byte| byte == 0x88).unwrap();
    let mut changed = bytes.clone();
    changed[value] = 0x89;
    assert!(matches!(error(&changed).0, Fault::BigEndian));
    assert!(WeightsFile::from_bytes(bytes).is_ok());
}

/// A safetensors file.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn safetensors_headers_are_checked() {
    let tensor = |dtype: &str, shape: &str, first: u64, last: u64| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{first},{last}]}}"#)
    };
    let one = |dtype: &str, shape: &str, first, last| format!(r#"{{"a":{}}}"#, tensor(dtype, shape, first, last));
    let two = |first: (u64, u64), second: (u64, u64)| {
        let (first, second) = (
            tensor("U8", "[4]", first.0, first.1),
            tensor("U8", "[4]", second.0, second.1),
        );
        format!(r#"{{"a":{first},"b":{second}}}"#)
    };
    assert!(try_all(&safetensors(&one("U8", "[2,2]", 0, 4), 4)));
    assert!(try_all(&safetensors(&two((4, 8), (0, 4)), 8)));
    for (header, data, expected) in [
        (one("U8", "[2,2]", 0, 4), 3, "ends inside the tensor 'a'"),
        (one("U8", "[2,2]", 0, 4), 5, "1 bytes follow the last tensor"),
        (
            one("U8", "[2,3]", 0, 4),
            4,
            "the tensor 'a': U8 of shape [2, 3] does not fill bytes 0 to 4",
        ),
        (one("F32", "[2,2]", 4, 0), 4, "does not fill"),
        (one("I128", "[1]", 0, 16), 16, "its type 'I128' is not known"),
        (one("U8", "[4294967296,4294967296]", 0, 0), 0, "does not fill"),
        (one("U8", "[4294967296,4294967296,0]", 0, 0), 0, "'a'"),
        (one("U8", "[-1]", 0, 4), 4, "header is damaged"),
        (two((0, 4), (2, 6)), 6, "the tensor 'b': overlaps another tensor"),
        (two((0, 4), (5, 9)), 9, "the tensor 'b': begins after a gap"),
        (
            two((0, 4), (4, 8)).replace("\"b\"", "\"a\""),
            8,
            "two tensors have this name",
        ),
        (r#"{"a":1}"#.to_owned(), 0, "header is damaged: 'a'"),
        ("{".repeat(100_000), 0, "header is damaged"),
        (format!("{}{}", r#"{"a":"#, "[".repeat(100_000)), 0, "header is damaged"),
    ] {
        let (_, line) = error(&safetensors(&header, data));
        assert!(line.contains(expected), "{line}");
    }
    for length in [1 << 63, u64::MAX, 1 << 40, 200_000_000] {
        let bytes = [&u64::to_le_bytes(length)[..], b"{\"a\":{}}"].concat();
        assert!(error(&bytes).1.contains("over the limit of 100000000"));
    }
    let bytes = [&u64::to_le_bytes(90_000_000)[..], b"{\"a\":{}}"].concat();
    assert!(error(&bytes).1.contains("ends inside the header"));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let tensor = |name, shape, values| OutTensor { name, shape, values };
    let floats = [1.0f32; 4];
    let write = |tensors: &[OutTensor<'_>]| {
        let stored = write_safetensors(&mut Vec::new(), tensors, &BTreeMap::new()).map_err(|error| error.to_string());
        let pickled = write_pth(&mut Vec::new(), tensors).map_err(|error| error.to_string());
        (stored, pickled)
    };
    let short = write(&[tensor("a", &[5], Values::F32(&floats))]);
    assert!(
        short
            .0
            .unwrap_err()
            .contains("the tensor 'a': 16 bytes of float32 do not fill the shape [5]")
    );
    assert!(short.1.is_err());
    let twice = [
        tensor("a", &[4], Values::F32(&floats)),
        tensor("a", &[4], Values::F32(&floats)),
    ];
    assert!(write(&twice).1.unwrap_err().contains("two tensors have this name"));
    let small = write(&[tensor("a", &[1], Values::Raw(barlow_weights::Dtype::F8E4m3, &[1]))]);
    assert!(small.0.is_ok() && small.1.unwrap_err().contains("write a .safetensors file"));
}
