//! A weight file of any format: a listing of its contents, and its tensors on request.

use crate::contents::{Contents, Format};
use crate::dtype::Dtype;
use crate::error::{Fault, WeightsError, quoted};
use crate::pth::{is_legacy, is_tar, read_legacy, read_tar, read_zip};
use crate::safetensors::{Shards, is_index, is_safetensors, parse_index, read_safetensors};
use crate::source::Source;
use crate::stored::StoredTensor;
use crate::tree::Tree;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes by which a format is recognised.
const START: u64 = 512;

/// Name, shape and type of a tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// The keys of all dicts on the way, joined by dots, such as `state_dict.module.conv1.weight`.
    pub name: String,
    /// Shape in torch's layout: a linear weight is [out, in].
    pub shape: Vec<usize>,
    /// Type of its values.
    pub dtype: Dtype,
    /// Size of its values, without those that it repeats or skips.
    pub bytes: u64,
}

/// Values of a tensor as they were stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawTensor {
    /// Shape.
    pub shape: Vec<usize>,
    /// Type of the values.
    pub dtype: Dtype,
    /// Values in row-major order, little-endian.
    pub bytes: Vec<u8>,
}

/// A `.pth` or `.safetensors` file, or an index of such files, opened for reading.
///
/// Opening reads names and shapes alone; each tensor is read when it is asked for, into its result and a window of 1 MiB.
/// Several threads may read at once.
#[derive(Debug)]
pub struct WeightsFile {
    path: Option<PathBuf>,
    format: Format,
    tensors: Vec<TensorInfo>,
    places: Vec<Place>,
    numbers: HashMap<String, usize>,
    tree: Tree,
    metadata: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Place {
    source: Source,
    stored: StoredTensor,
}

impl WeightsFile {
    /// Opens a file. Its format is recognised by its content, never by its name.
    ///
    /// # Errors
    /// One line that names the file, and the tensor if only one is at fault. A tensor that is not wholly in the file is an
    /// error here, so that what was opened can be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let named = |fault| WeightsError {
            path: Some(path.to_owned()),
            fault,
        };
        let source = source_of(path).map_err(named)?;
        let read = || match index_of(&source)? {
            Some(shards) => Ok((None, Some(shards))),
            None => Ok((Some(contents(&source)?), None)),
        };
        let mut file = match read().map_err(named)? {
            (Some(contents), _) => Self::of_contents(contents, &source),
            (None, shards) => Self::of_shards(path, &shards.unwrap_or_default())?,
        };
        file.path = Some(path.to_owned());
        Ok(file)
    }

    /// Opens the bytes of a file. An index of shards has no bytes of tensors, so it is not accepted.
    ///
    /// # Errors
    /// As [`WeightsFile::open`], without the path.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self, WeightsError> {
        let source = Source::Memory(bytes.into());
        match contents(&source) {
            Ok(contents) => Ok(Self::of_contents(contents, &source)),
            Err(fault) => Err(WeightsError { path: None, fault }),
        }
    }

    fn of_contents(contents: Contents, source: &Source) -> Self {
        let Contents {
            format,
            tensors,
            tree,
            metadata,
        } = contents;
        let mut file = Self {
            path: None,
            format,
            tensors: Vec::new(),
            places: Vec::new(),
            numbers: HashMap::new(),
            tree,
            metadata,
        };
        for (name, stored) in tensors {
            file.add(name, stored, source.clone());
        }
        file
    }

    fn add(&mut self, name: String, stored: StoredTensor, source: Source) {
        self.numbers.insert(name.clone(), self.tensors.len());
        self.tensors.push(TensorInfo {
            name,
            shape: stored.shape.clone(),
            dtype: stored.dtype,
            bytes: (stored.len() * stored.dtype.bytes()) as u64,
        });
        self.places.push(Place { source, stored });
    }

    fn of_shards(index: &Path, shards: &Shards) -> Result<Self, WeightsError> {
        let mut file = Self {
            path: None,
            format: Format::Sharded,
            tensors: Vec::new(),
            places: Vec::new(),
            numbers: HashMap::new(),
            tree: Tree::None,
            metadata: BTreeMap::new(),
        };
        let differs = |problem: String| WeightsError {
            path: Some(index.to_owned()),
            fault: Fault::Index(problem),
        };
        for (shard, names) in shards {
            let path = index.with_file_name(shard);
            let named = |fault| WeightsError {
                path: Some(path.clone()),
                fault,
            };
            let source = source_of(&path).map_err(named)?;
            let contents = contents(&source).map_err(named)?;
            let names: HashSet<&str> = names.iter().map(String::as_str).collect();
            let held: HashSet<&str> = contents.tensors.iter().map(|(name, _)| name.as_str()).collect();
            if let Some(missing) = names.difference(&held).min() {
                return Err(differs(format!("{} is not in {}", quoted(missing), quoted(shard))));
            }
            if let Some(unlisted) = held.difference(&names).min() {
                return Err(differs(format!(
                    "{} of {} is not listed",
                    quoted(unlisted),
                    quoted(shard)
                )));
            }
            for (name, stored) in contents.tensors {
                file.add(name, stored, source.clone());
            }
            file.metadata.extend(contents.metadata);
        }
        let tree = file.tensors.iter().enumerate();
        file.tree = Tree::Dict(
            tree.map(|(number, info)| (info.name.clone(), Tree::Tensor(number)))
                .collect(),
        );
        Ok(file)
    }

    /// Container of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The file, unless it was bytes in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// All tensors, in the file's order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Name, shape and type of one tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.numbers.get(name).map(|&number| &self.tensors[number])
    }

    /// Everything that the file holds, tensors by number.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Metadata of a safetensors file.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Reads a tensor as f32, in row-major order. f64 and integers are rounded to the nearest f32.
    ///
    /// # Errors
    /// If there is no such tensor, it is complex, or the file changed since it was opened.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.read(name, StoredTensor::read_f32)
    }

    /// Reads a tensor as it was stored, but in row-major order.
    ///
    /// # Errors
    /// If there is no such tensor, or the file changed since it was opened.
    pub fn read_raw(&self, name: &str) -> Result<RawTensor, WeightsError> {
        self.read(name, |stored, source| {
            Ok(RawTensor {
                shape: stored.shape.clone(),
                dtype: stored.dtype,
                bytes: stored.read_bytes(source)?,
            })
        })
    }

    fn read<T>(
        &self,
        name: &str,
        read: impl Fn(&StoredTensor, &Source) -> Result<T, String>,
    ) -> Result<T, WeightsError> {
        let missing = || Fault::Missing { name: name.to_owned() };
        let number = self.numbers.get(name).ok_or_else(missing);
        let value = number.and_then(|&number| {
            let Place { source, stored } = &self.places[number];
            read(stored, source).map_err(|problem| Fault::tensor(name, problem))
        });
        value.map_err(|fault| WeightsError {
            path: self.path.clone(),
            fault,
        })
    }
}

fn source_of(path: &Path) -> Result<Source, Fault> {
    Ok(Source::of_file(File::open(path)?)?)
}

/// The index of shards, if the file is one.
fn index_of(source: &Source) -> Result<Option<Shards>, Fault> {
    let start = source.part(0, source.len().min(START), "the file")?;
    if !is_index(&start) || is_safetensors(&start) {
        return Ok(None);
    }
    // `parse_index` refuses what is longer than one byte less.
    let bytes = source.len().min(MAX_INDEX_READ);
    parse_index(&source.part(0, bytes, "the index")?).map(Some)
}

/// Bytes of an index that are read at most, one more than are accepted.
const MAX_INDEX_READ: u64 = 100_000_001;

fn contents(source: &Source) -> Result<Contents, Fault> {
    let start = source.part(0, source.len().min(START), "the file")?;
    let unknown = |what| Err(Fault::Format { what });
    match &start[..] {
        start if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") => read_zip(source),
        start if is_legacy(start) => read_legacy(source),
        start if is_tar(start) => read_tar(source),
        start if is_safetensors(start) => read_safetensors(source),
        [] => unknown("it is empty"),
        start if start.starts_with(b"\x1f\x8b") => unknown("it is compressed by gzip"),
        start if start.starts_with(b"\x89HDF") => unknown("it is an HDF5 file"),
        start if start.starts_with(b"\x93NUMPY") => unknown("it is a NumPy array"),
        start if start.starts_with(b"version https://git-lfs") => {
            unknown("it is a pointer of Git LFS: fetch the file itself with `git lfs pull`")
        }
        start if start.first() == Some(&0x80) => unknown("it is a pickle that torch did not write"),
        start if start.first() == Some(&b'<') => unknown("it is a web page: the download failed"),
        _ => unknown("its first bytes are of no format that is known"),
    }
}
