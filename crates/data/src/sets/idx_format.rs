//! Parser of IDX files, gzipped or not: bytes to an array of integers. Pure functions without file access; no input is
//! trusted.
//!
//! An IDX file is `0, 0, type, number of dimensions`, each dimension as a big-endian u32, then the values row-major.
//! Source: the MNIST page, "The IDX file format". No allocation trusts the size in a header, and no more is unpacked than
//! the header claims. This file must not know what an array means.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

/// Maximal number of bytes of values in one file.
pub const MAX_IDX_BYTES: u64 = 2 << 30;
/// Maximal number of dimensions of an array.
const MAX_DIMS: usize = 4;
/// First bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// The type of stored values. Floating-point arrays (types 0x0D, 0x0E) and 16-bit ones (0x0B) are not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdxType {
    /// Unsigned bytes (0x08): images, and labels usually.
    U8,
    /// Big-endian signed 32-bit integers (0x0C): labels of some sets.
    I32,
}

/// An array as stored in the file.
#[derive(Clone, PartialEq, Eq)]
pub struct IdxArray {
    /// The type of the stored values.
    pub kind: IdxType,
    /// Sizes of the dimensions, 1 to 4 of them.
    pub dims: Vec<usize>,
    /// The values row-major, as bytes of `kind`.
    pub data: Vec<u8>,
}

/// What is wrong with a file of the set; the caller adds its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdxFault {
    /// The file is shorter than a header.
    #[error("it ends within its header")]
    NoHeader,
    /// The first bytes are not IDX's.
    #[error("not an IDX file (by its first bytes, whatever its name)")]
    Magic,
    /// An unsupported type of values.
    #[error("values of type {code:#04x}; only unsigned bytes (0x08) and 32-bit integers (0x0c) are supported")]
    Type {
        /// The type.
        code: u8,
    },
    /// An unsupported number of dimensions.
    #[error("{dims} dimensions; 1 to {MAX_DIMS} are supported")]
    Dims {
        /// The number.
        dims: usize,
    },
    /// The header claims more than any such file has.
    #[error("the header claims an array of {dims:?}, over the limit of {MAX_IDX_BYTES} bytes")]
    TooLarge {
        /// The dimensions.
        dims: Vec<usize>,
    },
    /// Fewer values than the header claims.
    #[error("it ends after {found} of {claimed} bytes (cut off)")]
    Cut {
        /// Bytes that are present.
        found: u64,
        /// Bytes the header claims.
        claimed: u64,
    },
    /// More values than the header claims.
    #[error("it continues after the {claimed} bytes that its header claims")]
    TooLong {
        /// Bytes the header claims.
        claimed: u64,
    },
    /// The file could not be read or unpacked.
    #[error("it cannot be unpacked: {0}")]
    Unpack(String),
    /// The array is not a set of images, `[N, H, W]` or `[N, H, W, C]` bytes.
    #[error("an array of {dims:?} is not a set of images (unsigned bytes [N, H, W] or [N, H, W, C], no dimension 0)")]
    NotImages {
        /// The dimensions.
        dims: Vec<usize>,
    },
    /// The array is not a list of labels, `[N]`.
    #[error("an array of {dims:?} is not a list of labels ([N])")]
    NotLabels {
        /// The dimensions.
        dims: Vec<usize>,
    },
    /// The numbers of labels and images differ.
    #[error("{labels} labels for {images} images")]
    Count {
        /// Number of labels.
        labels: usize,
        /// Number of images.
        images: usize,
    },
    /// A label that is out of range.
    #[error("label {label} of image {index} is not in 0..{classes}")]
    Label {
        /// The image.
        index: usize,
        /// Its label.
        label: i64,
        /// Number of classes.
        classes: usize,
    },
}

impl IdxArray {
    /// Parses the bytes of an IDX file, unpacking them first if they are gzipped (detected by the bytes, not by a name).
    ///
    /// # Errors
    /// [`IdxFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, IdxFault> {
        Self::read(Cursor::new(bytes))
    }

    /// As [`IdxArray::parse`], from a reader: only the values are held in memory, not the packed bytes.
    ///
    /// # Errors
    /// [`IdxFault`].
    pub fn read(mut reader: impl Read) -> Result<Self, IdxFault> {
        let mut magic = [0; 2];
        fill(&mut reader, &mut magic)?;
        let whole = Cursor::new(magic).chain(reader);
        if magic == GZIP_MAGIC {
            Self::read_plain(MultiGzDecoder::new(whole))
        } else {
            Self::read_plain(whole)
        }
    }

    fn read_plain(mut reader: impl Read) -> Result<Self, IdxFault> {
        let mut magic = [0; 4];
        fill(&mut reader, &mut magic)?;
        let [0, 0, code, count] = magic else {
            return Err(IdxFault::Magic);
        };
        let (kind, width) = match code {
            0x08 => (IdxType::U8, 1),
            0x0C => (IdxType::I32, 4),
            0x09 | 0x0B | 0x0D | 0x0E => return Err(IdxFault::Type { code }),
            _ => return Err(IdxFault::Magic),
        };
        let count = usize::from(count);
        if !(1..=MAX_DIMS).contains(&count) {
            return Err(IdxFault::Dims { dims: count });
        }
        let (mut dims, mut claimed) = (Vec::with_capacity(count), Some(width));
        for _ in 0..count {
            let mut size = [0; 4];
            fill(&mut reader, &mut size)?;
            let size = u32::from_be_bytes(size);
            claimed = claimed.and_then(|bytes: u64| bytes.checked_mul(size.into()));
            dims.push(size as usize);
        }
        let Some(claimed) = claimed.filter(|&bytes| bytes <= MAX_IDX_BYTES) else {
            return Err(IdxFault::TooLarge { dims });
        };
        // Reading one byte more than claimed shows whether the data ends there, and makes the decoder verify its checksum.
        let mut data = Vec::new();
        reader.take(claimed + 1).read_to_end(&mut data).map_err(unpack_fault)?;
        match data.len() as u64 {
            found if found < claimed => Err(IdxFault::Cut { found, claimed }),
            found if found > claimed => Err(IdxFault::TooLong { claimed }),
            _ => Ok(Self { kind, dims, data }),
        }
    }

    /// The values as integers.
    pub fn values(&self) -> impl Iterator<Item = i64> + '_ {
        let width = if self.kind == IdxType::U8 { 1 } else { 4 };
        self.data.chunks_exact(width).map(|bytes| match *bytes {
            [a, b, c, d] => i32::from_be_bytes([a, b, c, d]).into(),
            _ => bytes[0].into(),
        })
    }
}

impl std::fmt::Debug for IdxArray {
    /// The shape only: a failed assertion should not print a million numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdxArray({:?} {:?})", self.kind, self.dims)
    }
}

/// Fills the buffer, or reports a truncated header.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<(), IdxFault> {
    reader.read_exact(buffer).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => IdxFault::NoHeader,
        _ => unpack_fault(error),
    })
}

fn unpack_fault(error: std::io::Error) -> IdxFault {
    IdxFault::Unpack(error.to_string().replace('\n', " "))
}
