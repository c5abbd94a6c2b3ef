//! Thrift's compact protocol, as far as Parquet's metadata uses it: <https://github.com/apache/thrift>.
//!
//! This file must not know what the fields mean.

/// Deepest nesting that is skipped.
const MAX_DEPTH: u32 = 32;

/// The bytes end too early, or are not of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// Whether more bytes could mend it.
    pub(super) is_short: bool,
}

const SHORT: Broken = Broken { is_short: true };
const WRONG: Broken = Broken { is_short: false };

pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// A reader of structs.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let byte = *self.bytes.get(self.at).ok_or(SHORT)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7F) << shift;
            }
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WRONG)
    }

    /// A 16-, 32- or 64-bit number.
    pub(super) fn int(&mut self) -> Result<i64, Broken> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(self.varint()?).map_err(|_| WRONG)?;
        let end = self.at.checked_add(length).ok_or(WRONG)?;
        let bytes = self.bytes.get(self.at..end).ok_or(SHORT)?;
        self.at = end;
        Ok(bytes)
    }

    /// The kind of a list's items and how many there are. Each takes a byte at least.
    pub(super) fn list(&mut self) -> Result<(u8, usize), Broken> {
        let byte = self.byte()?;
        let length = match byte >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| WRONG)?,
            short => usize::from(short),
        };
        if length > self.bytes.len() - self.at {
            return Err(SHORT);
        }
        Ok((byte & 15, length))
    }

    /// Reads a struct: `field` gets the number and the kind of each field, and returns whether it read its value.
    pub(super) fn fields(
        &mut self,
        field: &mut dyn FnMut(&mut Self, i64, u8) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        self.fields_within(MAX_DEPTH, field)
    }

    fn fields_within(
        &mut self,
        depth: u32,
        field: &mut dyn FnMut(&mut Self, i64, u8) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        let mut number = 0_i64;
        loop {
            let byte = self.byte()?;
            let kind = byte & 15;
            if byte == 0 {
                return Ok(());
            }
            number = match byte >> 4 {
                0 => self.int()?,
                step => number.checked_add(i64::from(step)).ok_or(WRONG)?,
            };
            if !field(self, number, kind)? {
                self.skip(kind, depth)?;
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Result<(), Broken> {
        let depth = depth.checked_sub(1).ok_or(WRONG)?;
        match kind {
            TRUE | FALSE => {}
            3 => {
                self.byte()?;
            }
            4..=6 => {
                self.varint()?;
            }
            7 => {
                for _ in 0..8 {
                    self.byte()?;
                }
            }
            BINARY => {
                self.binary()?;
            }
            LIST | 10 => {
                let (kind, length) = self.list()?;
                for _ in 0..length {
                    self.skip_item(kind, depth)?;
                }
            }
            11 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WRONG)?;
                if length > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..length {
                        self.skip_item(kinds >> 4, depth)?;
                        self.skip_item(kinds & 15, depth)?;
                    }
                }
            }
            STRUCT => self.fields_within(depth, &mut |_, _, _| Ok(false))?,
            _ => return Err(WRONG),
        }
        Ok(())
    }

    /// In a list a truth value is a byte.
    fn skip_item(&mut self, kind: u8, depth: u32) -> Result<(), Broken> {
        self.skip(if matches!(kind, TRUE | FALSE) { 3 } else { kind }, depth)
    }
}
