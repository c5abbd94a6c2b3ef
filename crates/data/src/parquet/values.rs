//! Values of a page: byte strings or numbers, by Parquet's encodings.

use super::columns::Physical;
use super::compression::MAX_PAGE_BYTES;
use super::levels::{bits, hybrid, varint};
use super::source::{Fault, bad};

/// The values of a page or a dictionary, nulls left out.
#[derive(Debug)]
pub(super) enum Values {
    Bytes {
        buffer: Vec<u8>,
        /// Where each string begins and ends.
        ranges: Vec<(u32, u32)>,
    },
    Ints(Vec<i64>),
}

impl Values {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes { ranges, .. } => ranges.len(),
            Self::Ints(ints) => ints.len(),
        }
    }

    /// How much memory they take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Bytes { buffer, ranges } => buffer.capacity() + 8 * ranges.capacity(),
            Self::Ints(ints) => 8 * ints.capacity(),
        }
    }

    /// Decodes `count` values that begin at `start` of a page. `encoding` is Parquet's number.
    pub(super) fn decode(
        physical: Physical,
        encoding: i64,
        page: Vec<u8>,
        start: usize,
        count: usize,
    ) -> Result<Self, Fault> {
        let body = page.get(start..).unwrap_or_default();
        match (encoding, physical) {
            (0, Physical::Bytes) => {
                let ranges = plain_ranges(&page, start, count)?;
                Ok(Self::Bytes { buffer: page, ranges })
            }
            (6, Physical::Bytes) => {
                let (lengths, used) = delta(body, count)?;
                let mut at = start + used;
                let mut ranges = Vec::with_capacity(count);
                for length in lengths {
                    let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
                    let Some(end) = end.filter(|&end| end <= page.len()) else {
                        return bad("a page of it has a value that ends behind it");
                    };
                    ranges.push((at as u32, end as u32));
                    at = end;
                }
                Ok(Self::Bytes { buffer: page, ranges })
            }
            (0, Physical::Int32) => Ok(Self::Ints(
                fixed::<4>(body, count)?
                    .map(|int| i64::from(i32::from_le_bytes(int)))
                    .collect(),
            )),
            (0, Physical::Int64) => Ok(Self::Ints(fixed::<8>(body, count)?.map(i64::from_le_bytes).collect())),
            (0, Physical::Bool) if count.div_ceil(8) <= body.len() => Ok(Self::Ints(
                (0..count).map(|index| bits(body, index, 1) as i64).collect(),
            )),
            (3, Physical::Bool) => {
                let packed = hybrid(body.get(4..).unwrap_or_default(), 1, count)?;
                Ok(Self::Ints(packed.into_iter().map(i64::from).collect()))
            }
            (5, Physical::Int32 | Physical::Int64) => Ok(Self::Ints(delta(body, count)?.0)),
            (0, _) => bad("a page of it ends too early"),
            _ => bad(format!(
                "its pages have encoding {encoding}, which is not read; write it with the default encodings"
            )),
        }
    }
}

/// Each string after its length in four bytes.
fn plain_ranges(page: &[u8], start: usize, count: usize) -> Result<Vec<(u32, u32)>, Fault> {
    debug_assert!(page.len() <= MAX_PAGE_BYTES, "ranges are of 32 bits");
    // Four bytes each at least, so a false count does not take memory.
    if page.len().saturating_sub(start) / 4 < count {
        return bad("a page of it ends too early");
    }
    let mut at = start;
    let mut ranges = Vec::with_capacity(count);
    for _ in 0..count {
        let length = page
            .get(at..at + 4)
            .and_then(|length| length.try_into().ok())
            .map(u32::from_le_bytes);
        let end = length.and_then(|length| (at + 4).checked_add(length as usize));
        let Some(end) = end.filter(|&end| end <= page.len()) else {
            return bad("a page of it has a value that ends behind it");
        };
        ranges.push((at as u32 + 4, end as u32));
        at = end;
    }
    Ok(ranges)
}

fn fixed<const N: usize>(body: &[u8], count: usize) -> Result<impl Iterator<Item = [u8; N]>, Fault> {
    let (values, _) = body.as_chunks::<N>();
    match values.get(..count) {
        Some(values) => Ok(values.iter().copied()),
        None => bad("a page of it ends too early"),
    }
}

/// Numbers as differences in blocks, each packed with its own number of bits; and how many bytes they take.
fn delta(body: &[u8], count: usize) -> Result<(Vec<i64>, usize), Fault> {
    let mut rest = body;
    let block = varint(&mut rest)?;
    let miniblocks = varint(&mut rest)?;
    let total = varint(&mut rest)?;
    let mut value = zigzag(varint(&mut rest)?);
    let per_miniblock = block.checked_div(miniblocks).unwrap_or(0);
    if total != count as u64 || block > 1 << 20 || per_miniblock == 0 || per_miniblock % 8 != 0 || miniblocks > 1 << 12
    {
        return bad("a page of it is damaged (delta encoding)");
    }
    let mut values = Vec::with_capacity(count);
    if count > 0 {
        values.push(value);
    }
    while values.len() < count {
        let least = zigzag(varint(&mut rest)?);
        let Some((widths, after)) = rest.split_at_checked(miniblocks as usize) else {
            return bad("a page of it ends too early");
        };
        rest = after;
        for &width in widths {
            if values.len() >= count {
                break;
            }
            let length = per_miniblock as usize * usize::from(width) / 8;
            let missing = (count - values.len()).min(per_miniblock as usize);
            if width > 64 || rest.len() < (missing * usize::from(width)).div_ceil(8) {
                return bad("a page of it ends too early");
            }
            for index in 0..missing {
                let difference = bits(rest, index * usize::from(width), width.into()) as i64;
                value = value.wrapping_add(least).wrapping_add(difference);
                values.push(value);
            }
            rest = &rest[length.min(rest.len())..];
        }
    }
    Ok((values, body.len() - rest.len()))
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
