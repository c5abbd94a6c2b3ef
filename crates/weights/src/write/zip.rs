//! Writer of zip archives with stored entries, aligned as torch aligns them. Large sizes and positions are in zip64 fields.

use std::io::{self, Write};

/// The bytes of an entry begin at a multiple of this.
const ALIGNMENT: u64 = 64;
/// Flag: names are UTF-8.
const UTF8: u16 = 1 << 11;
/// 1 January 1980, the first day of the format: the same tensors give the same bytes.
const DATE: u16 = 0x21;

/// An archive that is being written.
pub(super) struct ZipWriter<W: Write> {
    out: W,
    at: u64,
    entries: Vec<Entry>,
    /// From this number on, a size or position is in a zip64 field. Lower in tests.
    narrow: u64,
}

struct Entry {
    name: String,
    sum: u32,
    bytes: u64,
    header: u64,
}

impl<W: Write> ZipWriter<W> {
    pub fn new(out: W) -> Self {
        Self::with_narrow(out, u32::MAX.into())
    }

    pub(super) fn with_narrow(out: W, narrow: u64) -> Self {
        Self {
            out,
            at: 0,
            entries: Vec::new(),
            narrow,
        }
    }

    /// Adds an entry of `bytes` bytes with CRC-32 `sum`, which `write` writes.
    pub fn add(
        &mut self,
        name: &str,
        bytes: u64,
        sum: u32,
        write: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        let wide = bytes >= self.narrow;
        let mut extra = Vec::new();
        if wide {
            extra.extend([1u16, 16].map(u16::to_le_bytes).as_flattened());
            extra.extend([bytes; 2].map(u64::to_le_bytes).as_flattened());
        }
        // Padding is an extra field of its own, as in torch ("FB").
        let end = self.at + 30 + name.len() as u64 + extra.len() as u64 + 4;
        let padding = end.next_multiple_of(ALIGNMENT) - end;
        extra.extend(b"FB");
        extra.extend((padding as u16).to_le_bytes());
        extra.resize(extra.len() + padding as usize, b'Z');
        let size = if wide { u32::MAX } else { bytes as u32 };
        let mut header = b"PK\x03\x04".to_vec();
        let version: u16 = if wide { 45 } else { 20 };
        header.extend([version, UTF8, 0, 0, DATE].map(u16::to_le_bytes).as_flattened());
        header.extend([sum, size, size].map(u32::to_le_bytes).as_flattened());
        header.extend(
            [name.len() as u16, extra.len() as u16]
                .map(u16::to_le_bytes)
                .as_flattened(),
        );
        header.extend(name.bytes());
        header.extend(extra);
        self.out.write_all(&header)?;
        write(&mut self.out)?;
        self.entries.push(Entry {
            name: name.to_owned(),
            sum,
            bytes,
            header: self.at,
        });
        self.at += header.len() as u64 + bytes;
        Ok(())
    }

    /// Adds an entry.
    pub fn add_bytes(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let sum = crc32fast::hash(bytes);
        self.add(name, bytes.len() as u64, sum, |out| out.write_all(bytes))
    }

    /// Writes the directory.
    pub fn finish(mut self) -> io::Result<()> {
        let start = self.at;
        let mut directory = Vec::new();
        for Entry {
            name,
            sum,
            bytes,
            header,
        } in &self.entries
        {
            let mut extra: Vec<u8> = Vec::new();
            let mut field = |value: u64, times: usize| match value >= self.narrow {
                true => {
                    extra.extend(value.to_le_bytes().repeat(times));
                    u32::MAX
                }
                false => value as u32,
            };
            let (size, position) = (field(*bytes, 2), field(*header, 1));
            if !extra.is_empty() {
                let len = extra.len() as u16;
                extra.splice(0..0, [1, len].map(u16::to_le_bytes).as_flattened().iter().copied());
            }
            let version: u16 = if extra.is_empty() { 20 } else { 45 };
            directory.extend(b"PK\x01\x02");
            directory.extend(
                [version, version, UTF8, 0, 0, DATE]
                    .map(u16::to_le_bytes)
                    .as_flattened(),
            );
            directory.extend([*sum, size, size].map(u32::to_le_bytes).as_flattened());
            let lengths = [name.len() as u16, extra.len() as u16, 0, 0, 0];
            directory.extend(lengths.map(u16::to_le_bytes).as_flattened());
            directory.extend([0, position].map(u32::to_le_bytes).as_flattened());
            directory.extend(name.bytes());
            directory.extend(extra);
        }
        let (count, bytes) = (self.entries.len() as u64, directory.len() as u64);
        let wide = start >= self.narrow || bytes >= self.narrow || count >= self.narrow.min(u16::MAX.into());
        if wide {
            let end = start + bytes;
            directory.extend(b"PK\x06\x06");
            directory.extend(44u64.to_le_bytes());
            directory.extend([45u16; 2].map(u16::to_le_bytes).as_flattened());
            directory.extend([0u32; 2].map(u32::to_le_bytes).as_flattened());
            directory.extend([count, count, bytes, start].map(u64::to_le_bytes).as_flattened());
            directory.extend(b"PK\x06\x07");
            directory.extend(0u32.to_le_bytes());
            directory.extend(end.to_le_bytes());
            directory.extend(1u32.to_le_bytes());
        }
        let short = if wide { u16::MAX } else { count as u16 };
        let [bytes, start] = [bytes, start].map(|value| if wide { u32::MAX } else { value as u32 });
        directory.extend(b"PK\x05\x06");
        directory.extend([0, 0, short, short].map(u16::to_le_bytes).as_flattened());
        directory.extend([bytes, start].map(u32::to_le_bytes).as_flattened());
        directory.extend([0, 0]);
        self.out.write_all(&directory)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::zip::Zip;
    use std::sync::Arc;

    #[test]
    fn entries_are_found_and_aligned_also_with_wide_fields() {
        for narrow in [u64::from(u32::MAX), 100, 1] {
            let mut bytes = Vec::new();
            let mut zip = ZipWriter::with_narrow(&mut bytes, narrow);
            let entries: Vec<(String, Vec<u8>)> = (0..40).map(|n| (format!("a/{n}"), vec![n as u8; 7 * n])).collect();
            for (name, bytes) in &entries {
                zip.add_bytes(name, bytes).unwrap();
            }
            zip.finish().unwrap();
            let source = Source::Memory(Arc::from(bytes));
            let zip = Zip::read(&source).unwrap();
            for (name, bytes) in &entries {
                let place = zip.find(name).unwrap().unwrap();
                assert_eq!(place.offset % ALIGNMENT, 0);
                assert_eq!(
                    &source.part(place.offset, place.bytes, name).unwrap(),
                    bytes,
                    "{narrow}"
                );
            }
            assert_eq!(zip.find("a/40").unwrap(), None);
        }
    }
}
