//! Tensors to be written, borrowed from whoever holds them.

use crate::dtype::Dtype;
use crate::error::{Fault, WeightsError};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct OutTensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape, in torch's layout.
    pub shape: &'a [usize],
    /// Its values, in row-major order.
    pub values: Values<'a>,
}

/// Values of a tensor to be written.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// 4-byte floats.
    F32(&'a [f32]),
    /// 8-byte integers, such as `num_batches_tracked`.
    I64(&'a [i64]),
    /// Little-endian bytes of any type.
    Raw(Dtype, &'a [u8]),
    /// 4-byte floats that are read when they are written, and again for each pass over them.
    Lazy(&'a LazyValues<'a>),
}

/// Receives values that were read.
type Receive<'r> = &'r mut dyn FnMut(&[f32]) -> io::Result<()>;

/// Reads values and passes them on: as a function of a receiver, [`LazyValues`] can be used where `'a` is shorter.
type Pass<'a> = dyn Fn(Receive<'_>) -> Result<(), WeightsError> + Send + Sync + 'a;

/// Values that are read each time they are needed, so that only one tensor is in memory.
pub struct LazyValues<'a> {
    len: usize,
    pass: Box<Pass<'a>>,
}

impl<'a> LazyValues<'a> {
    /// `len` values, which `read` returns in row-major order.
    pub fn new(len: usize, read: impl Fn() -> Result<Cow<'a, [f32]>, WeightsError> + Send + Sync + 'a) -> Self {
        Self {
            len,
            pass: Box::new(move |receive| Ok(receive(&read()?)?)),
        }
    }

    /// Passes the values on.
    fn values(&self, mut receive: impl FnMut(&[f32]) -> io::Result<()>) -> io::Result<()> {
        let passed = (self.pass)(&mut |values| match values.len() == self.len {
            true => receive(values),
            false => Err(io::Error::other(format!(
                "{} values were read where {} were expected",
                values.len(),
                self.len
            ))),
        });
        passed.map_err(|error| match error {
            WeightsError {
                path: None,
                fault: Fault::Io(error),
            } => error,
            error => io::Error::other(error),
        })
    }
}

impl fmt::Debug for LazyValues<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LazyValues({})", self.len)
    }
}

/// Values that are converted to bytes at once.
const CHUNK: usize = 1 << 16;

impl Values<'_> {
    /// Type of the values.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) | Self::Lazy(_) => Dtype::F32,
            Self::I64(_) => Dtype::I64,
            Self::Raw(dtype, _) => *dtype,
        }
    }

    /// Number of bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::F32(values) => 4 * values.len() as u64,
            Self::I64(values) => 8 * values.len() as u64,
            Self::Raw(_, bytes) => bytes.len() as u64,
            Self::Lazy(values) => (values.len as u64).saturating_mul(4),
        }
    }

    /// Passes all bytes on, in pieces.
    pub(crate) fn pieces(&self, mut piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::F32(values) => little_endian(values, |value| value.to_le_bytes(), piece),
            Self::I64(values) => little_endian(values, |value| value.to_le_bytes(), piece),
            Self::Raw(_, bytes) => piece(bytes),
            Self::Lazy(values) => {
                values.values(|values| little_endian(values, |value| value.to_le_bytes(), &mut piece))
            }
        }
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.pieces(|piece| out.write_all(piece))
    }
}

fn little_endian<T: Copy, const N: usize>(
    values: &[T],
    bytes_of: impl Fn(T) -> [u8; N],
    mut piece: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = vec![0; N * CHUNK.min(values.len())];
    for values in values.chunks(CHUNK) {
        let bytes = &mut bytes[..N * values.len()];
        for (bytes, &value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
            *bytes = bytes_of(value);
        }
        piece(bytes)?;
    }
    Ok(())
}

/// # Errors
/// If the values of a tensor do not fill its shape, or two tensors have the same name.
pub(super) fn check(tensors: &[OutTensor<'_>]) -> Result<(), WeightsError> {
    let mut names = HashSet::new();
    for OutTensor { name, shape, values } in tensors {
        let size = values.dtype().bytes() as u64;
        let filled = shape
            .iter()
            .try_fold(size, |bytes, &size| bytes.checked_mul(size as u64));
        let problem = if filled != Some(values.bytes()) {
            format!(
                "{} bytes of {} do not fill the shape {shape:?}",
                values.bytes(),
                values.dtype()
            )
        } else if !names.insert(*name) {
            "two tensors have this name".to_owned()
        } else {
            continue;
        };
        return Err(Fault::tensor(name, problem).into());
    }
    Ok(())
}
