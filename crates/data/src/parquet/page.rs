//! Pages of a column: where they lie, and the values of one.
//!
//! This file must not keep anything: what is cached is the caller's decision.

use std::sync::Arc;

use super::columns::Leaf;
use super::levels::{hybrid, width_of};
use super::metadata::Chunk;
use super::source::{Fault, Source, bad};
use super::thrift::{Broken, STRUCT, TRUE, Thrift};
use super::values::Values;

/// Bytes that a page's header is first looked for in; one with long statistics is read again.
const HEADER_BYTES: u64 = 512;

/// Longest header of a page.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// In place of a value's number: none.
pub(super) const NULL: u32 = u32::MAX;

/// A page without its content.
#[derive(Debug, Clone)]
pub(super) struct PageRef {
    is_dictionary: bool,
    /// Of the second version: levels are not compressed, and their lengths are in the header.
    v2: Option<V2>,
    /// Where the content begins, and its length in the file.
    offset: u64,
    packed: u32,
    size: u32,
    encoding: i64,
    pub(super) values: u32,
    /// The row of the group that its first value belongs to.
    pub(super) first: u32,
}

#[derive(Debug, Clone, Copy)]
struct V2 {
    definition: u32,
    repetition: u32,
    is_compressed: bool,
}

/// Pages of a column in a row group.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) dictionary: Option<PageRef>,
    pub(super) data: Vec<PageRef>,
}

/// Values of a page by its rows.
#[derive(Debug)]
pub(super) struct Page {
    /// The value of each row, or [`NULL`].
    pub(super) rows: Vec<u32>,
    pub(super) values: Arc<Values>,
}

/// Finds the pages of `rows` rows by their headers.
pub(super) fn pages(source: &(impl Source + ?Sized), chunk: &Chunk, rows: usize) -> Result<Pages, Fault> {
    let (mut at, end) = (chunk.start, chunk.start + chunk.length);
    let mut found = Pages {
        dictionary: None,
        data: Vec::new(),
    };
    let mut known = 0_usize;
    while known < rows {
        let Some((header, length)) = header(source, at, end)? else {
            return bad("a column of it ends too early");
        };
        let (Ok(packed), Ok(size), Ok(values)) = (
            u32::try_from(header.packed),
            u32::try_from(header.size),
            u32::try_from(header.values),
        ) else {
            return bad("a page of it has a negative size");
        };
        let offset = at + length;
        at = match offset.checked_add(packed.into()).filter(|&next| next <= end) {
            Some(next) => next,
            None => return bad("a page of it ends behind its column"),
        };
        let page = PageRef {
            is_dictionary: header.kind == 2,
            v2: header.v2,
            offset,
            packed,
            size,
            encoding: header.encoding,
            values,
            first: known as u32,
        };
        match header.kind {
            2 if found.dictionary.is_none() => found.dictionary = Some(page),
            0 | 3 => {
                known += values as usize;
                if known > rows {
                    return bad("a column of it has more values than rows");
                }
                // A page without rows holds nothing.
                if values > 0 {
                    found.data.push(page);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Header {
    kind: i64,
    size: i64,
    packed: i64,
    values: i64,
    encoding: i64,
    v2: Option<V2>,
}

/// The header at a position, with its length; `None` at the end.
fn header(source: &(impl Source + ?Sized), at: u64, end: u64) -> Result<Option<(Header, u64)>, Fault> {
    if at >= end {
        return Ok(None);
    }
    for limit in [HEADER_BYTES, MAX_HEADER_BYTES] {
        let bytes = source.range(at, limit.min(end - at))?;
        match parse_header(&bytes) {
            Ok((header, length)) => return Ok(Some((header, length as u64))),
            Err(Broken { is_short: true }) if limit < MAX_HEADER_BYTES => {}
            Err(_) => break,
        }
    }
    bad("the header of a page is damaged")
}

fn parse_header(bytes: &[u8]) -> Result<(Header, usize), Broken> {
    let mut header = Header::default();
    let mut thrift = Thrift::new(bytes);
    thrift.fields(&mut |thrift, number, kind| {
        match (number, kind) {
            (1, 5) => header.kind = thrift.int()?,
            (2, 5) => header.size = thrift.int()?,
            (3, 5) => header.packed = thrift.int()?,
            // A data page or a dictionary.
            (5 | 7, STRUCT) => thrift.fields(&mut |thrift, number, kind| {
                match (number, kind) {
                    (1, 5) => header.values = thrift.int()?,
                    (2, 5) => header.encoding = thrift.int()?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?,
            (8, STRUCT) => {
                let (mut definition, mut repetition, mut is_compressed) = (0, 0, true);
                thrift.fields(&mut |thrift, number, kind| {
                    match (number, kind) {
                        (1, 5) => header.values = thrift.int()?,
                        (4, 5) => header.encoding = thrift.int()?,
                        (5, 5) => definition = thrift.int()?,
                        (6, 5) => repetition = thrift.int()?,
                        (7, kind) => {
                            is_compressed = kind == TRUE;
                            return Ok(false);
                        }
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                header.v2 = Some(V2 {
                    // A negative length is longer than any page.
                    definition: u32::try_from(definition).unwrap_or(u32::MAX),
                    repetition: u32::try_from(repetition).unwrap_or(u32::MAX),
                    is_compressed,
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((header, thrift.position()))
}

/// Reads a dictionary.
pub(super) fn dictionary(
    source: &(impl Source + ?Sized),
    chunk: &Chunk,
    leaf: &Leaf,
    page: &PageRef,
) -> Result<Values, Fault> {
    let Some(physical) = leaf.physical else {
        return bad(format!("column {} has a type that is not read", leaf.shown()));
    };
    let body = source.range(page.offset, page.packed.into())?;
    let body = chunk.codec.unpack(body, page.size as usize)?;
    // Dictionaries are plain, whatever old files call it.
    Values::decode(physical, 0, body, 0, page.values as usize)
}

/// Reads the values of a data page.
pub(super) fn page(
    source: &(impl Source + ?Sized),
    chunk: &Chunk,
    leaf: &Leaf,
    page: &PageRef,
    dictionary: Option<&Arc<Values>>,
) -> Result<Page, Fault> {
    let Some(physical) = leaf.physical else {
        return bad(format!("column {} has a type that is not read", leaf.shown()));
    };
    debug_assert!(!page.is_dictionary, "a data page");
    let count = page.values as usize;
    let width = width_of(leaf.max_definition);
    let packed = source.range(page.offset, page.packed.into())?;
    // The decoded content, where its values begin, and the definition levels.
    let (body, start, levels) = match page.v2 {
        None => {
            let body = chunk.codec.unpack(packed, page.size as usize)?;
            if leaf.max_definition == 0 {
                (body, 0, None)
            } else {
                let length = body.first_chunk().map(|&length| u32::from_le_bytes(length) as usize);
                let end = length
                    .and_then(|length| length.checked_add(4))
                    .filter(|&end| end <= body.len());
                let Some(end) = end else {
                    return bad("a page of it ends too early");
                };
                let levels = hybrid(&body[4..end], width, count)?;
                (body, end, Some(levels))
            }
        }
        Some(v2) => {
            let levels_end = (v2.definition as usize).saturating_add(v2.repetition as usize);
            let (Some(levels), Some(size)) = (packed.get(..levels_end), (page.size as usize).checked_sub(levels_end))
            else {
                return bad("a page of it ends too early");
            };
            let levels = match leaf.max_definition {
                0 => None,
                _ => Some(hybrid(&levels[v2.repetition as usize..], width, count)?),
            };
            let body = packed[levels_end..].to_vec();
            let body = match v2.is_compressed {
                true => chunk.codec.unpack(body, size)?,
                false => body,
            };
            (body, 0, levels)
        }
    };
    let present = levels.as_ref().map_or(count, |levels| {
        levels.iter().filter(|&&level| level == leaf.max_definition).count()
    });
    let (values, numbers) = match page.encoding {
        // Of a dictionary, the number of bits stands first.
        2 | 8 => {
            let Some(dictionary) = dictionary else {
                return bad("a page of it needs a dictionary that is not there");
            };
            let numbers = match body.get(start) {
                Some(&width) => hybrid(&body[start + 1..], width.into(), present)?,
                None if present == 0 => Vec::new(),
                None => return bad("a page of it ends too early"),
            };
            if numbers.iter().any(|&number| number as usize >= dictionary.len()) {
                return bad("a page of it names a value that its dictionary lacks");
            }
            (Arc::clone(dictionary), Some(numbers))
        }
        encoding => (
            Arc::new(Values::decode(physical, encoding, body, start, present)?),
            None,
        ),
    };
    let mut numbers = numbers.unwrap_or_else(|| (0..present as u32).collect()).into_iter();
    let rows = match levels {
        None => numbers.collect(),
        Some(levels) => levels
            .iter()
            .map(|&level| match level == leaf.max_definition {
                true => numbers.next().unwrap_or(NULL),
                false => NULL,
            })
            .collect(),
    };
    Ok(Page { rows, values })
}

impl Page {
    /// Bytes of a row.
    pub(super) fn bytes(&self, row: usize) -> Option<&[u8]> {
        let number = *self.rows.get(row)?;
        match &*self.values {
            Values::Bytes { buffer, ranges } => {
                let &(start, end) = ranges.get(number as usize)?;
                Some(&buffer[start as usize..end as usize])
            }
            Values::Ints(_) => None,
        }
    }
}
