//! A tensor where it is stored: type, shape and strides over a part of a file, and how its values are read from there.
//!
//! Values are read in the order in which they are stored, through a window of 1 MiB, and placed where row-major order wants
//! them. So any strides cost one pass over the file, and no memory beyond the result.

use crate::dtype::Dtype;
use crate::source::Source;
use std::cmp::Reverse;

/// Bytes that are read at once.
const WINDOW: usize = 1 << 20;
/// A tensor that repeats its values (stride 0) and is larger than its storage may have this many bytes.
const MAX_EXPANDED: u64 = 256 << 20;

/// The bytes of a storage in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub offset: u64,
    pub bytes: u64,
}

/// A tensor in a storage that holds all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredTensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// In values.
    strides: Vec<u64>,
    /// First value, from the storage's begin, in values.
    first: u64,
    storage: Segment,
}

impl StoredTensor {
    /// Checks that every value is inside of the storage.
    ///
    /// # Errors
    /// A text for a message that names the tensor.
    pub fn new(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<u64>,
        first: u64,
        storage: Segment,
    ) -> Result<Self, String> {
        if shape.len() != strides.len() {
            return Err(format!("{} sizes but {} strides", shape.len(), strides.len()));
        }
        let values = shape
            .iter()
            .try_fold(dtype.bytes(), |product, &size| product.checked_mul(size.max(1)));
        if values.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
            return Err(format!("its shape {shape:?} is impossible"));
        }
        if !shape.contains(&0) {
            let last = shape.iter().zip(&strides).try_fold(first, |last, (&size, &stride)| {
                last.checked_add((size as u64 - 1).checked_mul(stride)?)
            });
            let held = storage.bytes / dtype.bytes() as u64;
            if last.is_none_or(|last| last >= held) {
                return Err(format!(
                    "shape {shape:?}, strides {strides:?} and offset {first} reach past the end of its storage of {held} values"
                ));
            }
        }
        Ok(Self {
            dtype,
            shape,
            strides,
            first,
            storage,
        })
    }

    /// A row-major tensor that fills `storage`.
    pub fn contiguous(dtype: Dtype, shape: Vec<usize>, storage: Segment) -> Result<Self, String> {
        let strides = row_major(&shape).ok_or_else(|| format!("its shape {shape:?} is impossible"))?;
        Self::new(dtype, shape, strides, 0, storage)
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// All values as f32, in row-major order.
    pub fn read_f32(&self, source: &Source) -> Result<Vec<f32>, String> {
        if !self.dtype.is_real() {
            return Err(format!("{} values cannot be converted to float32", self.dtype));
        }
        self.check_size()?;
        let mut values = vec![0.0; self.len()];
        self.runs(source, |at, step, run| {
            self.dtype.convert(run, &mut values[at..], step);
        })?;
        Ok(values)
    }

    /// All values as little-endian bytes, in row-major order.
    pub fn read_bytes(&self, source: &Source) -> Result<Vec<u8>, String> {
        self.check_size()?;
        let size = self.dtype.bytes();
        let mut bytes = vec![0; self.len() * size];
        self.runs(source, |at, step, run| {
            let bytes = &mut bytes[at * size..];
            if step == 1 {
                bytes[..run.len()].copy_from_slice(run);
            } else {
                for (out, value) in bytes.chunks_mut(step * size).zip(run.chunks_exact(size)) {
                    out[..size].copy_from_slice(value);
                }
            }
        })?;
        Ok(bytes)
    }

    fn check_size(&self) -> Result<(), String> {
        let bytes = (self.len() * self.dtype.bytes()) as u64;
        if bytes > self.storage.bytes.max(MAX_EXPANDED) {
            return Err(format!(
                "it repeats a storage of {} bytes to {bytes}; save it with .contiguous()",
                self.storage.bytes
            ));
        }
        Ok(())
    }

    /// Calls `place(at, step, run)` for runs of stored values: the first belongs at `at` in row-major order, each further one
    /// `step` later.
    fn runs(&self, source: &Source, mut place: impl FnMut(usize, usize, &[u8])) -> Result<(), String> {
        if self.shape.contains(&0) {
            return Ok(());
        }
        let size = self.dtype.bytes() as u64;
        let mut window = Window::new(source, self.storage);
        // (size, stride in the file, stride in the result), slowest first, so that positions in the file ascend.
        let steps = row_major(&self.shape).expect("the shape was checked");
        let mut dims: Vec<(u64, u64, usize)> = (0..self.shape.len())
            .filter(|&dim| self.shape[dim] > 1)
            .map(|dim| (self.shape[dim] as u64, self.strides[dim], steps[dim] as usize))
            .collect();
        dims.sort_by_key(|&(_, stride, step)| Reverse((stride, step)));
        // Neighbours that are one run in the file and in the result.
        let mut merged: Vec<(u64, u64, usize)> = Vec::with_capacity(dims.len());
        for dim in dims {
            match merged.last_mut() {
                Some(outer) if outer.1 == dim.0 * dim.1 && outer.2 as u64 == dim.0 * dim.2 as u64 => {
                    *outer = (outer.0 * dim.0, dim.1, dim.2);
                }
                _ => merged.push(dim),
            }
        }
        let (count, stride, step) = merged.pop().unwrap_or((1, 1, 1));
        let per_window = if stride == 1 { WINDOW as u64 / size } else { 1 };
        let mut index = vec![0; merged.len()];
        loop {
            let (mut from, mut at) = (self.first, 0);
            for (&index, &(_, stride, step)) in index.iter().zip(&merged) {
                from += index * stride;
                at += index as usize * step;
            }
            let mut done = 0;
            while done < count {
                let values = per_window.min(count - done);
                let run = window.get((from + done * stride) * size, (values * size) as usize)?;
                place(at + done as usize * step, step, run);
                done += values;
            }
            let Some(dim) = (0..merged.len()).rev().find(|&dim| index[dim] + 1 < merged[dim].0) else {
                return Ok(());
            };
            index[dim] += 1;
            index[dim + 1..].fill(0);
        }
    }
}

/// Strides of a row-major tensor, in values, or `None` if they do not fit.
pub(crate) fn row_major(shape: &[usize]) -> Option<Vec<u64>> {
    let mut strides = vec![1u64; shape.len()];
    for dim in (1..shape.len()).rev() {
        strides[dim - 1] = strides[dim].checked_mul(shape[dim].max(1) as u64)?;
    }
    Some(strides)
}

/// The part of a storage that was read last.
struct Window<'a> {
    source: &'a Source,
    storage: Segment,
    buffer: Vec<u8>,
    start: u64,
    /// Bytes read so far. Strides that jump about would read a whole window for each value.
    total: u64,
}

impl<'a> Window<'a> {
    fn new(source: &'a Source, storage: Segment) -> Self {
        Self {
            source,
            storage,
            buffer: Vec::new(),
            start: 0,
            total: 0,
        }
    }

    /// `len` bytes at `at` of the storage.
    fn get(&mut self, at: u64, len: usize) -> Result<&[u8], String> {
        let inside = at >= self.start && at + len as u64 <= self.start + self.buffer.len() as u64;
        if !inside {
            let ahead = match self.total <= 4 * self.storage.bytes {
                true => WINDOW,
                false => len,
            };
            let left = self.storage.bytes - at;
            let read = (ahead.max(len) as u64).min(left) as usize;
            self.buffer.resize(read, 0);
            self.source
                .read(self.storage.offset + at, &mut self.buffer)
                .map_err(|error| format!("cannot read its values: {error}"))?;
            self.start = at;
            self.total += read as u64;
        }
        let start = (at - self.start) as usize;
        Ok(&self.buffer[start..start + len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Values 0, 1, 2, … of one byte, or of two bytes from `first` on.
    fn tensor(shape: &[usize], strides: &[u64], first: u64, held: u64) -> Result<Vec<f32>, String> {
        let bytes: Vec<u8> = (0..held).flat_map(|value| (value as f32).to_le_bytes()).collect();
        let storage = Segment {
            offset: 3,
            bytes: 4 * held,
        };
        let source = Source::Memory(Arc::from([&[9, 9, 9][..], &bytes].concat()));
        let stored = StoredTensor::new(Dtype::F32, shape.to_vec(), strides.to_vec(), first, storage)?;
        let values = stored.read_f32(&source)?;
        let bytes = stored.read_bytes(&source)?;
        let of_bytes: Vec<f32> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|&value| f32::from_le_bytes(value))
            .collect();
        assert_eq!(of_bytes, values);
        Ok(values)
    }

    /// By definition.
    fn expected(shape: &[usize], strides: &[u64], first: u64) -> Vec<f32> {
        let steps = row_major(shape).unwrap();
        (0..shape.iter().product::<usize>() as u64)
            .map(|at| {
                let offsets = shape.iter().zip(strides).zip(&steps);
                let offset: u64 = offsets
                    .map(|((&size, stride), step)| at / step % size as u64 * stride)
                    .sum();
                (first + offset) as f32
            })
            .collect()
    }

    #[test]
    fn every_kind_of_strides_is_read_as_defined() {
        for (shape, strides, first) in [
            (&[][..], &[][..], 5),
            (&[7], &[1], 0),
            (&[7], &[3], 2),
            (&[2, 3, 4], &[12, 4, 1], 0),
            (&[3, 4], &[1, 3], 1),
            (&[2, 3, 4, 5], &[60, 1, 15, 3], 0),
            (&[4, 5], &[0, 1], 2),
            (&[4, 5], &[1, 0], 2),
            (&[5, 6], &[1, 1], 0),
            (&[3, 3], &[2, 3], 0),
            (&[1, 6, 1], &[999, 2, 999], 0),
            (&[0, 3], &[3, 1], 0),
        ] {
            let values = tensor(shape, strides, first, 130).unwrap();
            assert_eq!(values, expected(shape, strides, first), "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn tensors_larger_than_the_window_are_read_whole() {
        let (rows, columns) = (700usize, 1_100usize);
        let held = (rows * columns) as u64;
        for strides in [[columns as u64, 1], [1, rows as u64]] {
            let values = tensor(&[rows, columns], &strides, 0, held).unwrap();
            assert_eq!(values, expected(&[rows, columns], &strides, 0));
        }
    }

    #[test]
    fn what_lies_outside_of_the_storage_is_refused() {
        for (shape, strides, first) in [
            (&[131][..], &[1][..], 0),
            (&[130], &[1], 1),
            (&[2, 2], &[u64::MAX, 1], 0),
            (&[2], &[1], u64::MAX),
            (&[usize::MAX, 2], &[0, 0], 0),
            (&[2], &[], 0),
        ] {
            assert!(tensor(shape, strides, first, 130).is_err(), "{shape:?}");
        }
        let bomb = tensor(&[1 << 40], &[0], 0, 1).unwrap_err();
        assert!(bomb.contains("repeats a storage of 4 bytes"), "{bomb}");
    }
}
