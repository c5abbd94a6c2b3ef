//! Writer of `.pth` files, in the zip format of torch 1.6 and later.

use super::pickle::state_dict;
use super::values::{OutTensor, check};
use super::zip::ZipWriter;
use crate::error::{Fault, WeightsError};
use std::io::Write;

/// Writes tensors as a state dict (an `OrderedDict` from names to tensors) that `torch.load(weights_only=True)` reads. The same
/// arguments always give the same bytes.
///
/// # Errors
/// If the values of a tensor do not fill its shape, two tensors have the same name, torch has no storage of a type (8-bit floats,
/// unsigned integers of several bytes), or `out` fails.
pub fn write_pth(out: &mut impl Write, tensors: &[OutTensor<'_>]) -> Result<(), WeightsError> {
    check(tensors)?;
    for OutTensor { name, values, .. } in tensors {
        let dtype = values.dtype();
        if dtype.storage_class().is_none() {
            let problem = format!("{dtype} is not written to .pth files; write a .safetensors file");
            return Err(Fault::tensor(name, problem).into());
        }
    }
    let mut zip = ZipWriter::new(out);
    zip.add_bytes("archive/data.pkl", &state_dict(tensors))?;
    zip.add_bytes("archive/byteorder", b"little")?;
    for (number, OutTensor { values, .. }) in tensors.iter().enumerate() {
        let mut sum = crc32fast::Hasher::new();
        values.pieces(|piece| {
            sum.update(piece);
            Ok(())
        })?;
        zip.add(
            &format!("archive/data/{number}"),
            values.bytes(),
            sum.finalize(),
            |out| values.write(out),
        )?;
    }
    zip.add_bytes("archive/version", b"3\n")?;
    Ok(zip.finish()?)
}
