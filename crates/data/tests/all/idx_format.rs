//! Tests of the IDX parser, on valid and hostile bytes, without files.

use crate::idx_files;

use barlow_data::{IdxArray, IdxFault, IdxType};
use idx_files::{gzip, idx};

fn fault(bytes: &[u8]) -> IdxFault {
    let fault = IdxArray::parse(bytes).unwrap_err();
    assert!(!fault.to_string().contains('\n'), "{fault}");
    fault
}

#[test]
fn bytes_and_big_endian_numbers_are_read_plain_and_gzipped() {
    let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 11, 12, 13];
    assert_eq!(images[..], idx(8, &[2, 1, 2], &[10, 11, 12, 13]));
    for bytes in [
        images.to_vec(),
        gzip(&images),
        [gzip(&images[..9]), gzip(&images[9..])].concat(),
    ] {
        let array = IdxArray::parse(&bytes).unwrap();
        assert_eq!((array.kind, &array.dims[..]), (IdxType::U8, &[2, 1, 2][..]));
        assert_eq!(array.values().collect::<Vec<_>>(), [10, 11, 12, 13]);
    }
    let labels = IdxArray::parse(&idx(0x0C, &[3], &[0, 0, 1, 2, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 7])).unwrap();
    assert_eq!(labels.values().collect::<Vec<_>>(), [258, -2, 7]);
}

#[test]
fn every_shorter_and_longer_file_is_refused() {
    let whole = idx(8, &[2, 2], &[1, 2, 3, 4]);
    for bytes in [whole.clone(), gzip(&whole)] {
        assert!(IdxArray::parse(&bytes).is_ok());
        for len in 0..bytes.len() {
            fault(&bytes[..len]);
        }
        fault(&[&bytes[..], b"x"].concat());
    }
    assert_eq!(fault(&whole[..11]), IdxFault::NoHeader);
    assert_eq!(fault(&whole[..15]), IdxFault::Cut { found: 3, claimed: 4 });
    assert_eq!(fault(&[&whole[..], &[0]].concat()), IdxFault::TooLong { claimed: 4 });
    assert_eq!(
        fault(&gzip(&[&whole[..], &[0]].concat())),
        IdxFault::TooLong { claimed: 4 }
    );
}

#[test]
fn every_damaged_byte_of_a_gzip_file_is_noticed_or_harmless() {
    let whole = idx(8, &[3, 5], &[7, 1, 1, 9, 200, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let (packed, expected) = (gzip(&whole), IdxArray::parse(&whole).unwrap());
    for at in 0..packed.len() {
        for bit in 0..8 {
            let mut damaged = packed.clone();
            damaged[at] ^= 1 << bit;
            // Bits of the gzip header (time, system) do not matter; what is read must be what was written.
            if let Ok(array) = IdxArray::parse(&damaged) {
                assert_eq!(array, expected, "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn headers_that_claim_too_much_allocate_nothing() {
    let huge = idx(8, &[u32::MAX, u32::MAX, u32::MAX, u32::MAX], &[]);
    assert!(matches!(fault(&huge), IdxFault::TooLarge { dims } if dims == [u32::MAX as usize; 4]));
    assert!(matches!(
        fault(&idx(8, &[(2 << 30) + 1], &[])),
        IdxFault::TooLarge { .. }
    ));
    // Within the limit: the missing bytes are detected after reading the present ones.
    let claimed = 2 << 30;
    assert_eq!(
        fault(&idx(8, &[claimed], &[5])),
        IdxFault::Cut {
            found: 1,
            claimed: claimed.into()
        }
    );
    // A bomb, a hundred million zeros in a hundred kilobytes: at most the claimed bytes and one more are unpacked.
    let bomb = gzip(&[idx(8, &[4], &[]), vec![0; 100_000_000]].concat());
    assert_eq!(fault(&bomb), IdxFault::TooLong { claimed: 4 });
}

#[test]
fn other_files_types_and_dimensions_are_named() {
    assert_eq!(fault(b""), IdxFault::NoHeader);
    for other in [
        &b"\x89PNG\r\n\x1a\n"[..],
        b"<html>",
        &[0, 0, 7, 1, 0, 0, 0, 0],
        &[0, 1, 8, 1, 0, 0, 0, 0],
    ] {
        assert_eq!(fault(other), IdxFault::Magic);
    }
    for code in [0x09, 0x0B, 0x0D, 0x0E] {
        assert_eq!(fault(&idx(code, &[0], &[])), IdxFault::Type { code });
    }
    assert_eq!(fault(&idx(8, &[], &[])), IdxFault::Dims { dims: 0 });
    assert_eq!(fault(&idx(8, &[1; 5], &[1])), IdxFault::Dims { dims: 5 });
}
