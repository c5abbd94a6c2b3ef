//! Conversion of state dicts to and from the bytes of a safetensors file, readable by torch. The caller reads and writes the
//! files.

use crate::state::{HostTensor, StateDict};
use ::safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use ::safetensors::{SafeTensors, serialize};
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;

/// Contents of a safetensors file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafetensorsFile {
    /// Float tensors.
    pub tensors: StateDict,
    /// Integer scalars, such as `bn1.num_batches_tracked`.
    pub counters: BTreeMap<String, i64>,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
}

/// Error of reading or writing the bytes of a safetensors file.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// The bytes are damaged, truncated, or in another format.
    #[error("not a complete safetensors file ({0}); is it truncated, or in another format?")]
    Format(#[from] SafeTensorError),
    /// A tensor has an unsupported data type.
    #[error("'{key}' is stored as {dtype:?}; only F32 weights are read, so convert the file first")]
    Dtype {
        /// Name of the tensor.
        key: String,
        /// Its data type.
        dtype: Dtype,
    },
}

/// Converts `state` to the bytes of a safetensors file. The same arguments always give the same bytes.
///
/// `num_batches_tracked` is written for each norm (an int64 scalar), as in torch's `state_dict`: torch requires it, but uses it
/// only without momentum. `None` omits it. `metadata` is at most one entry, because the writer of the format would write several
/// entries in random order.
///
/// # Errors
/// [`ExchangeError::Format`] if the number of values of a tensor does not match its shape.
pub fn save_safetensors(
    state: &StateDict,
    num_batches_tracked: Option<i64>,
    metadata: Option<(&str, &str)>,
) -> Result<Vec<u8>, ExchangeError> {
    let bytes: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = state
        .iter()
        .map(|(key, HostTensor { shape, data })| (key.clone(), Dtype::F32, shape.clone(), little_endian(data)))
        .chain(num_batches_tracked.into_iter().flat_map(|batches| {
            state.keys().filter_map(move |key| {
                let norm = key.strip_suffix("running_mean")?;
                Some((
                    format!("{norm}num_batches_tracked"),
                    Dtype::I64,
                    vec![],
                    batches.to_le_bytes().to_vec(),
                ))
            })
        }))
        .collect();
    let views = bytes
        .iter()
        .map(|(key, dtype, shape, bytes)| Ok((key.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let metadata = metadata.map(|(key, value)| HashMap::from([(key.to_owned(), value.to_owned())]));
    Ok(serialize(views, metadata)?)
}

/// Reads the bytes of a safetensors file.
///
/// # Errors
/// [`ExchangeError`] if the bytes are damaged or contain weights whose data type is not F32.
pub fn read_safetensors(bytes: &[u8]) -> Result<SafetensorsFile, ExchangeError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let mut file = SafetensorsFile::default();
    file.metadata.extend(
        header
            .metadata()
            .iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    for (key, view) in SafeTensors::deserialize(bytes)?.tensors() {
        match (view.dtype(), view.shape()) {
            (Dtype::F32, shape) => {
                let (values, _) = view.data().as_chunks();
                let data = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
                file.tensors.insert(
                    key,
                    HostTensor {
                        shape: shape.to_vec(),
                        data,
                    },
                );
            }
            (Dtype::I64, []) => {
                let value = view.data().try_into().expect("the header was checked against the data");
                file.counters.insert(key, i64::from_le_bytes(value));
            }
            (dtype, _) => return Err(ExchangeError::Dtype { key, dtype }),
        }
    }
    Ok(file)
}

/// Little-endian bytes of `values`. A loop over fixed chunks, because collecting an iterator of bytes made saving five times
/// slower.
fn little_endian(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    for (bytes, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> StateDict {
        let tensor = |shape: &[usize]| {
            let data = (0..shape.iter().product()).map(|i: usize| i as f32 - 0.5).collect();
            HostTensor {
                shape: shape.to_vec(),
                data,
            }
        };
        let names = [
            ("conv1.weight", &[2, 3][..]),
            ("bn1.running_mean", &[2]),
            ("bn1.running_var", &[2]),
        ];
        names
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), tensor(shape)))
            .collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = save_safetensors(&sample(), Some(17), Some(("made_by", "a test"))).unwrap();
        let file = read_safetensors(&bytes).unwrap();
        assert_eq!(file.tensors, sample());
        assert_eq!(
            file.counters,
            BTreeMap::from([("bn1.num_batches_tracked".to_owned(), 17)])
        );
        assert_eq!(
            file.metadata,
            BTreeMap::from([("made_by".to_owned(), "a test".to_owned())])
        );
        assert!(
            read_safetensors(&save_safetensors(&sample(), None, None).unwrap())
                .unwrap()
                .counters
                .is_empty()
        );
    }

    #[test]
    fn the_same_state_gives_the_same_bytes() {
        let save = || save_safetensors(&sample(), Some(17), Some(("made_by", "a test"))).unwrap();
        let first = save();
        for _ in 0..20 {
            assert_eq!(save(), first);
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_of_one_line() {
        let bytes = save_safetensors(&sample(), Some(17), None).unwrap();
        for cut in [0, 1, 7, 8, 40, bytes.len() - 1] {
            let line = read_safetensors(&bytes[..cut]).unwrap_err().to_string();
            assert!(
                line.contains("not a complete safetensors file") && !line.contains('\n'),
                "{line}"
            );
        }
        let halves = [0u8; 4];
        let view = TensorView::new(Dtype::F16, vec![2], &halves).unwrap();
        let bytes = serialize([("fc.weight", view)], None).unwrap();
        let line = read_safetensors(&bytes).unwrap_err().to_string();
        assert!(line.contains("'fc.weight' is stored as F16"), "{line}");
    }

    #[test]
    fn a_tensor_that_does_not_fill_its_shape_is_refused() {
        let mut state = sample();
        state.get_mut("conv1.weight").unwrap().data.pop();
        assert!(matches!(
            save_safetensors(&state, None, None),
            Err(ExchangeError::Format(_))
        ));
    }
}
