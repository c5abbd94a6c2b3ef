//! A checkpoint of weights alone that is written tensor by tensor: imported networks may be larger than the memory that is left.

use super::Progress;
use super::file::{Checksum, entry};
use super::folder::path_of_step;
use crate::files::StreamedFile;
use crate::run_dir::RunDir;
use anyhow::{Result, bail, ensure};
use serde_json::{Map, json};
use std::path::PathBuf;

/// Bytes that the header's length is a multiple of.
const ALIGNMENT: usize = 8;

/// Writes the checkpoint of a run that was given weights and has made no step. `tensors` are names, without `model.`, and shapes,
/// sorted by name; `read` returns the values of one of them, and is called twice: for the checksum, then to write them.
///
/// # Errors
/// If `read` fails or returns a value that is not finite, or the file cannot be written.
///
/// # Panics
/// If the names are not sorted, or a tensor has another number of values than its shape says.
pub(crate) fn write_weights(
    run: &RunDir,
    progress: Progress,
    tensors: &[(&str, &[usize])],
    read: &dyn Fn(usize) -> Result<Vec<f32>>,
) -> Result<PathBuf> {
    assert!(tensors.is_sorted_by(|a, b| a.0 < b.0), "tensors are sorted by name");
    let values = |index: usize| -> Result<Vec<f32>> {
        let (name, shape) = tensors[index];
        let values = read(index)?;
        let length: usize = shape.iter().product();
        assert_eq!(values.len(), length, "values of {name}, of shape {shape:?}");
        Ok(values)
    };
    let entry = entry(&progress, |zeroed| {
        let mut checksum = Checksum::of_entry(zeroed);
        for (index, (name, shape)) in tensors.iter().enumerate() {
            let values = values(index)?;
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                bail!("{value} in the parameter {name}");
            }
            checksum.add(&format!("model.{name}"), shape, &values);
        }
        Ok(checksum.finish())
    })?;
    let path = path_of_step(run, progress.step);
    let mut file = StreamedFile::create(&path)?;
    file.write(&header(&entry, tensors)?)?;
    for index in 0..tensors.len() {
        let values = values(index)?;
        // In blocks: the bytes of the largest tensor would be as much memory again.
        for block in values.chunks(16 * 1024) {
            let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
            file.write(&bytes)?;
        }
    }
    file.persist()
}

/// The header of the safetensors format.
fn header(entry: &str, tensors: &[(&str, &[usize])]) -> Result<Vec<u8>> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({ "run": entry }));
    let mut start = 0;
    for (name, shape) in tensors {
        let end = start + 4 * shape.iter().product::<usize>();
        let tensor = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        ensure!(
            header.insert(format!("model.{name}"), tensor).is_none(),
            "two tensors are called {name}"
        );
        start = end;
    }
    let mut text = serde_json::to_vec(&header)?;
    text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::sources::Images;

    #[test]
    fn the_file_is_a_checkpoint_with_the_same_weights() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        let images = Images {
            count: 0,
            fingerprint: String::new(),
        };
        let progress = Progress::start("[run]\nseed = 3\n".to_owned(), images);
        let tensors: [(&str, &[usize]); 3] = [
            ("backbone.a", &[2, 3]),
            ("backbone.b", &[]),
            ("projector.0.weight", &[1]),
        ];
        let value = |index: usize| Ok((0..[6, 1, 1][index]).map(|k| (index * 10 + k) as f32).collect());
        let path = write_weights(&run, progress.clone(), &tensors, &value).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.progress, progress);
        assert_eq!(read.model.len(), 3);
        assert_eq!(read.model["backbone.a"].data, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(read.model["projector.0.weight"].shape, [1]);
        // The same bytes as a checkpoint in memory has, whatever wrote it.
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let again = read.save(&run, 1, false).unwrap();
        assert_eq!(Checkpoint::read(&again).unwrap().progress, progress);
        assert_eq!(std::fs::read(again).unwrap().len(), whole.len());
        let nan = |_: usize| Ok(vec![f32::NAN]);
        let error = write_weights(&run, progress, &tensors[1..2], &nan).unwrap_err();
        assert_eq!(error.to_string(), "NaN in the parameter backbone.b");
    }
}
