//! The members of a tar in their order: names, and where their bytes lie. Sizes are believed only within the file.
//!
//! This file must not know what the members are.

use std::fs::File;
use std::io;

use super::TarFault;
use super::header::{BLOCK, Kind, parse, parse_pax, until_zero};
use crate::read::read_at;

/// Bytes that are read at once: headers and the labels between them, not images.
const WINDOW: usize = 4096;

/// Longest name of a member, in bytes.
const MAX_NAME_BYTES: u64 = 64 << 10;

/// Longest extended header.
const MAX_PAX_BYTES: u64 = 1 << 20;

/// Zero blocks after which a tar is at its end. Two are its end mark, and tars joined by `cat` go on after their padding.
const MAX_ZEROS: u32 = 2048;

/// Bytes at positions: a tar on disk or in memory.
pub(super) trait Bytes {
    /// How many there are.
    fn len(&self) -> u64;

    /// The bytes of a range, fewer only at the end.
    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]>;
}

impl Bytes for &[u8] {
    fn len(&self) -> u64 {
        (**self).len() as u64
    }

    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min((**self).len());
        let end = start.saturating_add(length).min((**self).len());
        Ok(&self[start..end])
    }
}

/// A file with the bytes of one window of it.
pub(super) struct FileBytes<'a> {
    file: &'a File,
    len: u64,
    start: u64,
    window: Vec<u8>,
}

impl<'a> FileBytes<'a> {
    pub(super) fn new(file: &'a File, len: u64) -> Self {
        Self {
            file,
            len,
            start: 0,
            window: Vec::new(),
        }
    }
}

impl Bytes for FileBytes<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let offset = offset.min(self.len);
        let wanted = (length as u64).min(self.len - offset) as usize;
        let skipped = offset
            .checked_sub(self.start)
            .and_then(|skipped| usize::try_from(skipped).ok());
        let known = skipped.filter(|skipped| skipped.saturating_add(wanted) <= self.window.len());
        let place = match known {
            Some(place) => place,
            None => {
                let read = (wanted.max(WINDOW) as u64).min(self.len - offset) as usize;
                self.window.resize(read, 0);
                // Not valid until it is filled.
                self.start = u64::MAX;
                read_at(self.file, &mut self.window, offset)?;
                self.start = offset;
                0
            }
        };
        Ok(&self.window[place..place + wanted])
    }
}

/// A member that is not part of another's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) kind: Kind,
}

/// Why the members end too early.
#[derive(Debug)]
pub(super) enum Stop {
    Io(io::Error),
    /// A fault, with where it is.
    Fault(TarFault, String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Calls `visit` for every member; it gets the bytes to read labels from.
pub(super) fn for_each_member<B: Bytes>(
    bytes: &mut B,
    visit: &mut dyn FnMut(&mut B, Member) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let (mut at, mut zeros) = (0, 0);
    let (mut long_name, mut pax) = (None, super::header::PaxFields::default());
    while at < bytes.len() {
        let bad = |what: &str| Stop::Fault(TarFault::BadHeader, format!("byte {at}{what}"));
        let block = bytes.get(at, BLOCK)?;
        if block.iter().all(|&byte| byte == 0) {
            zeros += 1;
            at += BLOCK as u64;
            if zeros > MAX_ZEROS {
                return Ok(());
            }
            continue;
        }
        let Ok(block) = <&[u8; BLOCK]>::try_from(block) else {
            return Err(Stop::Fault(TarFault::Truncated, format!("a header at byte {at}")));
        };
        let Some(header) = parse(block) else {
            // What follows the end mark is not part of the tar.
            return if zeros >= 2 { Ok(()) } else { Err(bad("")) };
        };
        zeros = 0;
        let (mut name, mut size) = (header.name, header.size);
        let is_member = matches!(header.kind, Kind::File | Kind::Folder | Kind::Other);
        let mut kind = header.kind;
        if is_member {
            let fields = std::mem::take(&mut pax);
            if let Some(long) = fields.path.or(long_name.take()) {
                name = long;
            }
            if kind == Kind::File {
                size = fields.size.unwrap_or(size);
                if fields.is_sparse {
                    kind = Kind::Other;
                }
            }
            long_name = None;
        }
        let offset = at + BLOCK as u64;
        let is_inside = offset.checked_add(size).is_some_and(|end| end <= bytes.len());
        if !is_inside {
            let name = String::from_utf8_lossy(&name).into_owned();
            return Err(Stop::Fault(TarFault::Truncated, shortened(&name)));
        }
        match kind {
            Kind::LongName if size <= MAX_NAME_BYTES => {
                long_name = Some(until_zero(bytes.get(offset, size as usize)?).to_vec());
            }
            Kind::Pax if size <= MAX_PAX_BYTES => {
                pax = parse_pax(bytes.get(offset, size as usize)?).ok_or_else(|| bad(" (pax)"))?;
            }
            Kind::LongName | Kind::Pax => return Err(bad(" (too long)")),
            Kind::Note => {}
            Kind::File | Kind::Folder | Kind::Other => {
                let name_length = name.len() as u64;
                if name_length > MAX_NAME_BYTES {
                    return Err(bad(" (too long)"));
                }
                let member = Member {
                    name,
                    offset,
                    size,
                    kind,
                };
                visit(bytes, member)?;
            }
        }
        at = offset + size.next_multiple_of(BLOCK as u64);
    }
    Ok(())
}

/// A name of a file's making in a message.
pub(super) fn shortened(name: &str) -> String {
    let shown = |letter: char| if letter.is_control() { '?' } else { letter };
    match name.chars().count() {
        0..=200 => name.chars().map(shown).collect(),
        _ => name.chars().take(197).map(shown).chain("...".chars()).collect(),
    }
}
