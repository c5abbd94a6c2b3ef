//! Reader of the first directory of a TIFF, which EXIF data are too.
//!
//! This file must not know what tags mean.

/// The first directory of a TIFF in its bytes.
pub(crate) struct TiffDirectory<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
    /// Where it begins.
    at: usize,
}

/// An entry of a directory.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) tag: u16,
    /// Type of the values, by its number in TIFF 6.0.
    pub(crate) kind: u16,
    /// Number of values.
    pub(crate) count: u32,
    /// Where the value is stored, or, if it is longer than four bytes, the offset of it.
    pub(crate) at: usize,
}

impl<'a> TiffDirectory<'a> {
    /// The directory; `None` if the bytes are no TIFF or end before it. The number 42 may be in the wrong byte order, as in
    /// Pillow.
    pub(crate) fn first(bytes: &'a [u8]) -> Option<Self> {
        let is_big_endian = match bytes.first_chunk::<4>()? {
            b"MM\0*" | b"MM*\0" => true,
            b"II*\0" | b"II\0*" => false,
            _ => return None,
        };
        let mut directory = Self {
            bytes,
            is_big_endian,
            at: 0,
        };
        directory.at = directory.u32_at(4)? as usize;
        directory.u16_at(directory.at)?;
        Some(directory)
    }

    /// The entries, up to where the bytes end.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        (0..usize::from(self.u16_at(self.at).unwrap_or(0))).map_while(|entry| {
            let at = self.at + 2 + 12 * entry;
            self.u32_at(at + 8)?;
            Some(Entry {
                tag: self.u16_at(at)?,
                kind: self.u16_at(at + 2)?,
                count: self.u32_at(at + 4)?,
                at: at + 8,
            })
        })
    }

    /// The number of a tag with one SHORT or LONG.
    pub(crate) fn number(&self, tag: u16) -> Option<u32> {
        let entry = self.entries().find(|entry| entry.tag == tag)?;
        match (entry.kind, entry.count) {
            (3, 1) => self.u16_at(entry.at).map(u32::from),
            (4, 1) => self.u32_at(entry.at),
            _ => None,
        }
    }

    pub(crate) fn u16_at(&self, at: usize) -> Option<u16> {
        let two = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big_endian {
            u16::from_be_bytes(two)
        } else {
            u16::from_le_bytes(two)
        })
    }

    pub(crate) fn u32_at(&self, at: usize) -> Option<u32> {
        let four = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big_endian {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        })
    }

    /// A SHORT in the byte order of the file.
    pub(crate) fn short(&self, value: u16) -> [u8; 2] {
        if self.is_big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
}
