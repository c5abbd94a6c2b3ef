//! The checkpoint file: tensors `model.<name>`, `optimizer.<name>#<buffer>`, `probe.<name>`, `teacher.<name>` and
//! `method.<name>`, and one metadata entry `run`, JSON that begins with a checksum of everything else.
//!
//! The checksum covers the entry's text, with zeros in place of the checksum itself, then names, shapes and values, so that bit
//! rot on a disk is detected before training continues from it.

use super::progress::{FORMAT, OLDEST_FORMAT};
use super::{Checkpoint, Progress};
use anyhow::{Context, Result, bail};
use barlow_model::{SafetensorsFile, StateDict, read_safetensors, save_safetensors};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Start of the entry, up to the checksum.
const BEFORE: &str = "{\"checksum\":\"";
/// Hexadecimal digits of a checksum.
const DIGITS: usize = blake3::OUT_LEN * 2;

#[derive(Serialize, Deserialize)]
struct Entry<P> {
    checksum: String,
    #[serde(flatten)]
    progress: P,
}

/// The reason why a file was not read.
pub(super) struct Fault {
    /// Whether its bytes are not a valid checkpoint. If not, the file could not be read, or only by another version of the
    /// program.
    pub damaged: bool,
    /// A one-line error with the path.
    pub error: anyhow::Error,
}

/// An intact file of another format version.
#[derive(Debug, thiserror::Error)]
#[error("it has format {0}, this program reads formats {OLDEST_FORMAT} to {FORMAT}")]
struct OtherFormat(u32);

/// The text of the entry; `checksum` computes the checksum from the text with zeros in its place.
pub(super) fn entry(progress: &Progress, checksum: impl FnOnce(&str) -> Result<String>) -> Result<String> {
    let zeroed = serde_json::to_string(&Entry {
        checksum: "0".repeat(DIGITS),
        progress,
    })?;
    let rest = zeroed.strip_prefix(BEFORE).and_then(|rest| rest.get(DIGITS..));
    let rest = rest.context("the checksum comes first")?;
    Ok(format!("{BEFORE}{}{rest}", checksum(&zeroed)?))
}

impl Checkpoint {
    /// The file's bytes.
    ///
    /// # Errors
    /// If a parameter or a buffer holds NaN or infinity: no run could continue from there.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>> {
        let mut tensors = StateDict::new();
        for (prefix, group) in [
            ("model", self.model),
            ("optimizer", self.optimizer),
            ("probe", self.probe),
            ("teacher", self.teacher),
            ("method", self.method),
        ] {
            for (name, tensor) in group {
                if let Some(value) = tensor.data.iter().find(|value| !value.is_finite()) {
                    let what = if prefix == "model" { "parameter" } else { "buffer" };
                    bail!("{value} in the {what} {name} at step {}", self.progress.step);
                }
                tensors.insert(format!("{prefix}.{name}"), tensor);
            }
        }
        let entry = entry(&self.progress, |zeroed| Ok(checksum(zeroed, &tensors)))?;
        Ok(save_safetensors(&tensors, None, Some(("run", &entry)))?)
    }

    /// Reads a checkpoint file.
    ///
    /// # Errors
    /// A one-line error with the path if the file is not a checkpoint, is damaged, or is of another version.
    pub fn read(path: &Path) -> Result<Self> {
        Self::try_read(path).map_err(|fault| fault.error)
    }

    /// As [`Checkpoint::read`]; the error says whether the file itself is at fault.
    pub(super) fn try_read(path: &Path) -> Result<Self, Fault> {
        let named = |damaged, error: anyhow::Error| Fault {
            damaged,
            error: error.context(format!("cannot use the checkpoint {}", path.display())),
        };
        let bytes = std::fs::read(path).map_err(|error| named(false, error.into()))?;
        Self::of_bytes(&bytes).map_err(|error| named(error.downcast_ref::<OtherFormat>().is_none(), error))
    }

    /// The checkpoint of [`into_bytes`](Self::into_bytes).
    ///
    /// # Errors
    /// As [`Checkpoint::read`], without the path.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Self> {
        Self::of_safetensors(read_safetensors(bytes)?)
    }

    /// The checkpoint in a safetensors file that was read.
    ///
    /// # Errors
    /// As [`Checkpoint::read`], without the path.
    pub(crate) fn of_safetensors(file: SafetensorsFile) -> Result<Self> {
        let entry = file
            .metadata
            .get("run")
            .context("it has no `run` entry, so it is not a checkpoint of a run")?;
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let Version { format } = serde_json::from_str(entry)?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&format) {
            return Err(OtherFormat(format).into());
        }
        let read: Entry<Progress> = serde_json::from_str(entry)?;
        let rest = entry.strip_prefix(BEFORE).and_then(|rest| rest.get(DIGITS..));
        let rest = rest.context("its checksum is missing")?;
        let zeroed = format!("{BEFORE}{}{rest}", "0".repeat(DIGITS));
        if checksum(&zeroed, &file.tensors) != read.checksum {
            bail!("its checksum does not match its content, so it is damaged");
        }
        let [mut model, mut optimizer, mut probe, mut teacher, mut method] = [(); 5].map(|()| StateDict::new());
        for (name, tensor) in file.tensors {
            let group = match name.split_once('.') {
                Some(("model", name)) => model.insert(name.to_owned(), tensor),
                Some(("optimizer", name)) => optimizer.insert(name.to_owned(), tensor),
                Some(("probe", name)) => probe.insert(name.to_owned(), tensor),
                Some(("teacher", name)) => teacher.insert(name.to_owned(), tensor),
                Some(("method", name)) => method.insert(name.to_owned(), tensor),
                _ => bail!("it has a tensor {name}, which is not part of a run"),
            };
            debug_assert!(group.is_none(), "names are unique");
        }
        Ok(Self {
            // Files written from here on have the current format.
            progress: Progress {
                format: FORMAT,
                ..read.progress
            },
            model,
            optimizer,
            probe,
            teacher,
            method,
        })
    }
}

fn checksum(entry: &str, tensors: &StateDict) -> String {
    let mut checksum = Checksum::of_entry(entry);
    for (name, tensor) in tensors {
        checksum.add(name, &tensor.shape, &tensor.data);
    }
    checksum.finish()
}

/// Checksum of the entry's text and all tensors in the order of their names, each part preceded by its length.
pub(super) struct Checksum(blake3::Hasher);

impl Checksum {
    pub(super) fn of_entry(entry: &str) -> Self {
        let mut checksum = Self(blake3::Hasher::new());
        checksum.length(entry.len());
        checksum.0.update(entry.as_bytes());
        checksum
    }

    fn length(&mut self, length: usize) {
        self.0.update(&(length as u64).to_le_bytes());
    }

    pub(super) fn add(&mut self, name: &str, shape: &[usize], data: &[f32]) {
        self.length(name.len());
        self.0.update(name.as_bytes());
        self.length(shape.len());
        shape.iter().for_each(|&n| self.length(n));
        // In blocks: collected byte by byte this would take longer than the hash.
        let mut block = [0; 4096];
        for values in data.chunks(block.len() / 4) {
            for (bytes, value) in block.as_chunks_mut().0.iter_mut().zip(values) {
                *bytes = value.to_le_bytes();
            }
            self.0.update(&block[..4 * values.len()]);
        }
    }

    pub(super) fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::example;
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let bytes = example(7).into_bytes().unwrap();
        assert_eq!(Checkpoint::of_bytes(&bytes).unwrap(), example(7));
    }

    #[test]
    fn no_byte_can_change_unnoticed() {
        let bytes = example(7).into_bytes().unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let read = Checkpoint::of_bytes(&changed);
            // The spaces that pad the header carry no information.
            assert!(
                read.is_err() || (bytes[index] == b' ' && read.unwrap() == example(7)),
                "byte {index} of {}, {:?}",
                bytes.len(),
                char::from(bytes[index])
            );
        }
        assert!(Checkpoint::of_bytes(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn numbers_that_are_none_are_not_written() {
        for (group, says) in [("model", "parameter"), ("optimizer", "buffer")] {
            let mut checkpoint = example(7);
            let tensors = if group == "model" {
                &mut checkpoint.model
            } else {
                &mut checkpoint.optimizer
            };
            tensors.values_mut().for_each(|tensor| tensor.data[4] = f32::NAN);
            let error = checkpoint.into_bytes().unwrap_err().to_string();
            assert!(
                error.contains("NaN") && error.contains(says) && error.contains("step 7"),
                "{error}"
            );
        }
    }

    /// As version 0.1.0 wrote it before there were methods: sums without names, no method, no rule, no teacher.
    #[test]
    fn format_2_is_read_as_a_run_that_can_be_resumed() {
        let mut checkpoint = example(7);
        checkpoint.teacher.clear();
        checkpoint.method.clear();
        let mut progress = serde_json::to_value(&checkpoint.progress).unwrap();
        let fields = progress.as_object_mut().unwrap();
        fields.retain(|name, _| name != "method" && name != "optimizer");
        fields.insert("format".into(), 2.into());
        fields.insert(
            "losses".into(),
            serde_json::json!({ "sums": [6.0, 4.0, 2.0, 1.0, 1.0], "count": 2 }),
        );
        fields.insert(
            "last_epoch".into(),
            serde_json::json!({ "loss": 3.0, "invariance": 2.0, "redundancy_reduction": 1.0, "diagonal_mean": 0.5, "off_diagonal_rms": 0.5 }),
        );
        let groups = [
            ("model", &checkpoint.model),
            ("optimizer", &checkpoint.optimizer),
            ("probe", &checkpoint.probe),
        ];
        let tensors: StateDict = groups
            .into_iter()
            .flat_map(|(prefix, group)| {
                group
                    .iter()
                    .map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor.clone()))
            })
            .collect();
        let rest = progress.to_string();
        let entry = |checksum: &str| format!("{BEFORE}{checksum}\",{}", rest.strip_prefix('{').unwrap());
        let entry = entry(&super::checksum(&entry(&"0".repeat(DIGITS)), &tensors));
        let bytes = save_safetensors(&tensors, None, Some(("run", &entry))).unwrap();
        let read = Checkpoint::of_bytes(&bytes).unwrap();
        assert_eq!((read.progress.format, read.progress.step), (FORMAT, 7));
        assert_eq!((read.progress.method, read.progress.optimizer), (None, None));
        assert_eq!(read.progress.last_epoch.unwrap().get("invariance"), Some(2.0));
        assert!(read.model == checkpoint.model && read.optimizer == checkpoint.optimizer);
        assert!(read.teacher.is_empty() && read.method.is_empty());
    }

    #[test]
    fn another_format_is_refused() {
        let mut checkpoint = example(7);
        checkpoint.progress.format = FORMAT + 1;
        let error = Checkpoint::of_bytes(&checkpoint.into_bytes().unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("format {}", FORMAT + 1)), "{error}");
    }
}
