//! The central directory of a zip archive, zip64 included. Entries are stored, never compressed, as torch writes them: so an
//! entry is a part of the file, and no entry can be larger than it.

use crate::error::{Fault, quoted};
use crate::source::Source;
use crate::stored::Segment;
use std::collections::BTreeMap;

/// Most entries of an archive.
const MAX_ENTRIES: u64 = 1 << 20;
/// Bytes of the record at the end, without its comment.
const END: usize = 22;

/// Names and places of an archive's entries.
#[derive(Debug)]
pub(crate) struct Zip {
    source: Source,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    method: u16,
    flags: u16,
    bytes: u64,
    /// Where its local header begins.
    header: u64,
}

impl Zip {
    pub fn read(source: &Source) -> Result<Self, Fault> {
        let (count, start, bytes) = directory(source)?;
        if count > MAX_ENTRIES {
            return Err(Fault::Limit {
                what: "entries of the archive",
                limit: MAX_ENTRIES,
            });
        }
        if bytes > MAX_ENTRIES * 128 {
            return Err(Fault::Limit {
                what: "bytes of the archive's directory",
                limit: MAX_ENTRIES * 128,
            });
        }
        let directory = source.part(start, bytes, "the archive's directory")?;
        let mut fields = Fields(&directory);
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let (name, entry) = fields.entry().ok_or_else(|| damaged("its directory is not valid"))??;
            if entries.insert(name.clone(), entry).is_some() {
                return Err(damaged(format!("two entries are called {}", quoted(&name))));
            }
        }
        Ok(Self {
            source: source.clone(),
            entries,
        })
    }

    /// Names of all entries, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Where an entry's bytes are, if the archive has it.
    pub fn find(&self, name: &str) -> Result<Option<Segment>, Fault> {
        let Some(entry) = self.entries.get(name) else {
            return Ok(None);
        };
        let named = |problem: &str| damaged(format!("its entry {} {problem}", quoted(name)));
        if entry.method != 0 {
            return Err(named(
                "is compressed, which torch never does; unpack the archive and zip it without compression",
            ));
        }
        if entry.flags & 1 != 0 {
            return Err(named("is encrypted"));
        }
        let header = self.source.part(entry.header, 30, "the archive")?;
        let mut fields = Fields(&header);
        let signature = fields.u32();
        fields.skip(22);
        let (name_bytes, extra_bytes) = (fields.u16(), fields.u16());
        match (signature, name_bytes, extra_bytes) {
            (Some(0x0403_4b50), Some(name_bytes), Some(extra_bytes)) => {
                let offset = entry.header + 30 + u64::from(name_bytes) + u64::from(extra_bytes);
                let end = offset.checked_add(entry.bytes);
                if end.is_none_or(|end| end > self.source.len()) {
                    return Err(named("reaches past the end of the file"));
                }
                Ok(Some(Segment {
                    offset,
                    bytes: entry.bytes,
                }))
            }
            _ => Err(named("has no header where the directory says")),
        }
    }
}

fn damaged(problem: impl Into<String>) -> Fault {
    Fault::Archive(problem.into())
}

/// Number of entries, begin and bytes of the central directory.
fn directory(source: &Source) -> Result<(u64, u64, u64), Fault> {
    let tail_bytes = source.len().min((END + usize::from(u16::MAX)) as u64);
    let tail_start = source.len() - tail_bytes;
    let tail = source.part(tail_start, tail_bytes, "the archive")?;
    let found = (0..(tail.len() + 1).saturating_sub(END)).rev().find(|&at| {
        let comment = || usize::from(u16::from_le_bytes([tail[at + 20], tail[at + 21]]));
        tail[at..].starts_with(b"PK\x05\x06") && at + END + comment() == tail.len()
    });
    let at = found.ok_or_else(|| Fault::truncated("a zip archive, whose directory is at its end"))?;
    let mut fields = Fields(&tail[at + 10..]);
    let count = fields.u16().map(u64::from);
    let (bytes, start) = (fields.u32().map(u64::from), fields.u32().map(u64::from));
    let (count, bytes, start) = (count.unwrap_or(0), bytes.unwrap_or(0), start.unwrap_or(0));
    let at = tail_start + at as u64;
    let narrow = u64::from(u32::MAX);
    if count != u64::from(u16::MAX) && bytes != narrow && start != narrow {
        return within(source, count, start, bytes);
    }
    let bad = || damaged("its zip64 directory is not valid");
    let locator = source.part(at.checked_sub(20).ok_or_else(bad)?, 20, "the archive")?;
    let mut fields = Fields(&locator);
    if fields.u32() != Some(0x0706_4b50) {
        // A directory that happens to have these numbers.
        return within(source, count, start, bytes);
    }
    fields.skip(4);
    let record = source.part(fields.u64().ok_or_else(bad)?, 56, "the archive")?;
    let mut fields = Fields(&record);
    if fields.u32() != Some(0x0606_4b50) {
        return Err(bad());
    }
    fields.skip(28);
    match (fields.u64(), fields.u64(), fields.u64()) {
        (Some(count), Some(bytes), Some(start)) => within(source, count, start, bytes),
        _ => Err(bad()),
    }
}

fn within(source: &Source, count: u64, start: u64, bytes: u64) -> Result<(u64, u64, u64), Fault> {
    let end = start.checked_add(bytes);
    if end.is_none_or(|end| end > source.len()) {
        return Err(Fault::truncated("the archive's directory"));
    }
    Ok((count, start, bytes))
}

/// Little-endian numbers, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or(&[]);
    }

    /// An entry of the central directory, `None` if the bytes end.
    fn entry(&mut self) -> Option<Result<(String, Entry), Fault>> {
        if self.u32()? != 0x0201_4b50 {
            return Some(Err(damaged("its directory is not valid")));
        }
        self.skip(4);
        let (flags, method) = (self.u16()?, self.u16()?);
        self.skip(8);
        let (packed, bytes) = (u64::from(self.u32()?), u64::from(self.u32()?));
        let (name_bytes, extra_bytes, comment_bytes) = (self.u16()?, self.u16()?, self.u16()?);
        self.skip(8);
        let header = u64::from(self.u32()?);
        let name = self.0.get(..usize::from(name_bytes))?;
        self.skip(name.len());
        let extra = self.0.get(..usize::from(extra_bytes))?;
        self.0 = self.0.get(extra.len() + usize::from(comment_bytes)..)?;
        let Ok(name) = std::str::from_utf8(name) else {
            return Some(Err(damaged("the name of an entry is not text")));
        };
        let mut sizes = [bytes, packed, header];
        let mut extra = Fields(extra);
        while let (Some(id), Some(len)) = (extra.u16(), extra.u16()) {
            let mut field = Fields(extra.0.get(..usize::from(len))?);
            extra.skip(usize::from(len));
            if id == 1 {
                for size in sizes.iter_mut().filter(|size| **size == u64::from(u32::MAX)) {
                    *size = field.u64()?;
                }
            }
        }
        let [bytes, packed, header] = sizes;
        if method == 0 && packed != bytes {
            return Some(Err(damaged(format!("the sizes of its entry {} differ", quoted(name)))));
        }
        let entry = Entry {
            method,
            flags,
            bytes,
            header,
        };
        Some(Ok((name.to_owned(), entry)))
    }
}
