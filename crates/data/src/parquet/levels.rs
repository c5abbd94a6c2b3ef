//! Small numbers as Parquet packs them: runs of one number mixed with groups of eight numbers of some bits each.

use super::source::{Fault, bad};

/// Decodes `count` numbers of `width` bits.
pub(super) fn hybrid(bytes: &[u8], width: u32, count: usize) -> Result<Vec<u32>, Fault> {
    if width > 32 {
        return bad("a page of it has numbers of more than 32 bits");
    }
    let mut numbers = Vec::with_capacity(count);
    if width == 0 {
        numbers.resize(count, 0);
        return Ok(numbers);
    }
    let mut rest = bytes;
    while numbers.len() < count {
        let header = varint(&mut rest)?;
        let missing = count - numbers.len();
        let length = usize::try_from(header >> 1).unwrap_or(usize::MAX);
        if header & 1 == 0 {
            let bytes = width.div_ceil(8) as usize;
            let Some((value, after)) = rest.split_at_checked(bytes) else {
                return bad("a page of it ends too early");
            };
            rest = after;
            let value = value
                .iter()
                .rev()
                .fold(0_u32, |value, &byte| value << 8 | u32::from(byte));
            if length == 0 {
                return bad("a page of it has a run of no numbers");
            }
            numbers.resize(numbers.len() + length.min(missing), value);
        } else {
            let wanted = length.saturating_mul(8).min(missing);
            let packed = length.saturating_mul(width as usize).min(rest.len());
            if packed * 8 < wanted.saturating_mul(width as usize) || length == 0 {
                return bad("a page of it ends too early");
            }
            let (packed, after) = rest.split_at(packed);
            rest = after;
            numbers.extend((0..wanted).map(|index| bits(packed, index * width as usize, width) as u32));
        }
    }
    Ok(numbers)
}

/// The number of `width` bits, 64 at most, that begins at a bit. What lies behind the end is zero.
pub(super) fn bits(bytes: &[u8], start: usize, width: u32) -> u64 {
    let (first, shift) = (start / 8, start % 8);
    let mut window = [0_u8; 16];
    let available = bytes.get(first..).unwrap_or_default();
    let length = available.len().min(window.len());
    window[..length].copy_from_slice(&available[..length]);
    let value = (u128::from_le_bytes(window) >> shift) as u64;
    if width == 64 { value } else { value & ((1 << width) - 1) }
}

/// A number of seven bits a byte.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, Fault> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((&byte, after)) = rest.split_first() else {
            return bad("a page of it ends too early");
        };
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    bad("a page of it has a number that is too long")
}

/// How many bits a number up to `max` takes.
pub(super) fn width_of(max: u32) -> u32 {
    32 - max.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_packed_groups_are_decoded() {
        // Parquet's own example: 0 to 7 in three bits.
        assert_eq!(hybrid(&[3, 0x88, 0xC6, 0xFA], 3, 8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(hybrid(&[8, 5, 2, 1], 3, 5).unwrap(), [5, 5, 5, 5, 1]);
        assert_eq!(hybrid(&[6, 0x34, 0x12], 13, 3).unwrap(), [0x1234; 3]);
        assert_eq!(hybrid(&[], 0, 2).unwrap(), [0, 0]);
        for (bytes, width) in [
            (&[][..], 3),
            (&[8][..], 3),
            (&[3, 0x88][..], 3),
            (&[0, 1][..], 1),
            (&[1][..], 1),
        ] {
            assert!(hybrid(bytes, width, 4).is_err(), "{bytes:?}");
        }
    }
}
