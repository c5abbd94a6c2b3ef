//! Writer of `.safetensors` files.

use super::values::{OutTensor, check};
use crate::error::WeightsError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// Writes tensors as a `.safetensors` file, in the given order. The same arguments always give the same bytes.
///
/// `metadata` is for programs that ask for it: `{"format": "pt"}` is what Hugging Face's transformers wants.
///
/// # Errors
/// If the values of a tensor do not fill its shape, two tensors have the same name, or `out` fails.
pub fn write_safetensors(
    out: &mut impl Write,
    tensors: &[OutTensor<'_>],
    metadata: &BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    check(tensors)?;
    // Built as text: a JSON object of serde_json would sort the names.
    let mut header = String::from("{");
    if !metadata.is_empty() {
        let metadata: Map<String, Value> = metadata
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        header += &format!("\"__metadata__\":{},", Value::Object(metadata));
    }
    let mut at = 0;
    for OutTensor { name, shape, values } in tensors {
        let end = at + values.bytes();
        let described = json!({
            "dtype": values.dtype().safetensors_name(),
            "shape": shape,
            "data_offsets": [at, end],
        });
        header += &format!("{}:{described},", json!(name));
        at = end;
    }
    if header.ends_with(',') {
        header.pop();
    }
    header.push('}');
    // Values are aligned to eight bytes, as in the format's own writer.
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for tensor in tensors {
        tensor.values.write(out)?;
    }
    Ok(())
}
