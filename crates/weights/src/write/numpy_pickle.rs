//! Writer of a pickle of NumPy arrays, as detectron2 loads weights of other programs.

use super::values::{OutTensor, check};
use crate::dtype::Dtype;
use crate::error::{Fault, WeightsError};
use std::io::{self, Write};

/// Bytes of an array that the pickle's length field can count.
const MAX_BYTES: u64 = u32::MAX as u64;

/// Writes `{"model": {name: array}, "__author__": author, "matching_heuristics": True}`, protocol 3. The same arguments always give
/// the same bytes.
///
/// # Errors
/// If the values of a tensor do not fill its shape, are no f32, or are larger than 4 GiB, two tensors have the same name, or `out`
/// fails.
pub(crate) fn write_numpy_pickle(
    out: &mut impl Write,
    tensors: &[OutTensor<'_>],
    author: &str,
) -> Result<(), WeightsError> {
    check(tensors)?;
    for tensor in tensors {
        if tensor.values.dtype() != Dtype::F32 || tensor.values.bytes() > MAX_BYTES {
            return Err(Fault::tensor(tensor.name, "only float32 arrays below 4 GiB are written to a .pkl").into());
        }
    }
    Ok(write(out, tensors, author)?)
}

fn write(out: &mut impl Write, tensors: &[OutTensor<'_>], author: &str) -> io::Result<()> {
    out.write_all(b"\x80\x03}(")?;
    out.write_all(&text("model"))?;
    out.write_all(b"}(")?;
    for (number, OutTensor { name, shape, values }) in tensors.iter().enumerate() {
        out.write_all(&text(name))?;
        // _reconstruct(ndarray, (0,), b"b"), then its state: (1, shape, dtype, False, bytes).
        out.write_all(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01(")?;
        for &size in *shape {
            out.write_all(&int(size))?;
        }
        out.write_all(b"t")?;
        match number {
            // dtype("f4", False, True) with the state (3, "<", None, None, None, -1, -1, 0), remembered as 0.
            0 => {
                out.write_all(b"cnumpy\ndtype\n(")?;
                out.write_all(&text("f4"))?;
                out.write_all(b"\x89\x88tR(K\x03")?;
                out.write_all(&text("<"))?;
                out.write_all(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbq\x00")?;
            }
            _ => out.write_all(b"h\x00")?,
        }
        out.write_all(b"\x89B")?;
        out.write_all(&(values.bytes() as u32).to_le_bytes())?;
        values.write(out)?;
        out.write_all(b"tb")?;
    }
    out.write_all(b"u")?;
    out.write_all(&text("__author__"))?;
    out.write_all(&text(author))?;
    out.write_all(&text("matching_heuristics"))?;
    out.write_all(b"\x88u.")
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// An integer of eight bytes, of which the last is never a sign.
fn int(value: usize) -> Vec<u8> {
    [&[0x8a, 9][..], &(value as u64).to_le_bytes(), &[0]].concat()
}
