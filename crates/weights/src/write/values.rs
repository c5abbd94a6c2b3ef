//! Tensors to be written, borrowed from whoever holds them.

use crate::dtype::Dtype;
use crate::error::{Fault, WeightsError};
use std::collections::HashSet;
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
}

/// Values that are converted to bytes at once.
const CHUNK: usize = 1 << 16;

impl Values<'_> {
    /// Type of the values.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
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
        }
    }

    /// Passes all bytes on, in pieces.
    pub(super) fn pieces(&self, mut piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::F32(values) => little_endian(values, |value| value.to_le_bytes(), piece),
            Self::I64(values) => little_endian(values, |value| value.to_le_bytes(), piece),
            Self::Raw(_, bytes) => piece(bytes),
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
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
