//! The files of an export: decided and checked first, then written.

use super::detectron2;
use super::error::ExportError;
use super::format::ExportFormat;
use super::model::{ExportModel, ModelTensor};
use super::onnx::OnnxFile;
use super::timm;
use crate::error::{Fault, WeightsError};
use crate::import::{HEADS, ImportFault, ImportTensor, ProjectorLayer, STEM_PADDING, ShapeMismatch, layers_of};
use crate::layout::Architecture;
use crate::write::{OutTensor, Values, write_numpy_pickle, write_pth, write_safetensors};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// An export that was checked and can be written.
pub struct Export<'m> {
    files: Vec<ExportFile<'m>>,
    is_folder: bool,
    notes: Vec<String>,
}

/// A file of an export.
struct ExportFile<'m> {
    /// Name in the folder of an export that is one.
    name: &'static str,
    content: Content<'m>,
}

enum Content<'m> {
    Safetensors(Vec<Named<'m>>, BTreeMap<String, String>),
    Pth(Vec<Named<'m>>),
    Pickle(Vec<Named<'m>>, String),
    Onnx(OnnxFile<'m>),
    Text(String),
}

/// A tensor under the name that it has in an export.
pub(super) struct Named<'m> {
    pub name: String,
    pub values: NamedValues<'m>,
}

pub(super) enum NamedValues<'m> {
    Tensor(&'m ModelTensor<'m>),
    /// torch's `num_batches_tracked`.
    Counter(i64),
}

/// Checks a model and decides the files of its export. Writes nothing.
///
/// # Errors
/// If tensors are missing, unexpected or of shapes that do not fit the architecture, or the format has no such networks.
pub fn export<'m>(model: &'m ExportModel<'_>, format: ExportFormat) -> Result<Export<'m>, ExportError> {
    let checked = Checked::new(model)?;
    let mut notes = Vec::new();
    if !model.projector.is_empty() && matches!(format, ExportFormat::Timm | ExportFormat::Detectron2) {
        return Err(ExportError::Unsupported {
            format,
            what: "place for a projector".into(),
            advice: "export the backbone alone",
        });
    }
    let only = |content| vec![ExportFile { name: "", content }];
    let files = match format {
        ExportFormat::Safetensors => only(Content::Safetensors(
            checked.state_dict(),
            metadata(&model.architecture),
        )),
        ExportFormat::Pth => {
            notes.extend(unrecorded(&model.architecture));
            only(Content::Pth(checked.state_dict()))
        }
        ExportFormat::Onnx => only(Content::Onnx(OnnxFile::new(model, &checked)?)),
        ExportFormat::Detectron2 => {
            notes.extend(detectron2::NOTES.iter().map(|note| (*note).to_owned()));
            let tensors = detectron2::renamed(&model.architecture, &checked.backbone)?;
            only(Content::Pickle(tensors, model.card.program.clone()))
        }
        ExportFormat::Timm => {
            let config = timm::config(model)?;
            let text = |name, text| ExportFile {
                name,
                content: Content::Text(text),
            };
            vec![
                text("config.json", config),
                text("README.md", timm::readme(model)),
                ExportFile {
                    name: "model.safetensors",
                    content: Content::Safetensors(checked.state_dict(), metadata(&model.architecture)),
                },
            ]
        }
    };
    Ok(Export {
        files,
        is_folder: format == ExportFormat::Timm,
        notes,
    })
}

/// What a file without metadata does not record, if it differs from what an import assumes.
fn unrecorded(architecture: &Architecture) -> Option<String> {
    match architecture {
        Architecture::ResNet(shape) if shape.stem_kernel == 3 && shape.stem_padding != 1 => Some(format!(
            "The file does not record the padding of the 3 × 3 stem, which is {}.",
            shape.stem_padding
        )),
        Architecture::Vit(shape) if shape.heads != shape.dim / 64 => Some(format!(
            "The file does not record the number of attention heads, which is {}.",
            shape.heads
        )),
        _ => None,
    }
}

/// What other programs expect, and what cannot be inferred from weights.
fn metadata(architecture: &Architecture) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let recorded = match architecture {
        Architecture::ResNet(shape) if shape.stem_kernel == 3 => (STEM_PADDING, shape.stem_padding),
        Architecture::ResNet(_) => return metadata,
        Architecture::Vit(shape) => (HEADS, shape.heads),
    };
    metadata.insert(recorded.0.to_owned(), recorded.1.to_string());
    metadata
}

impl Export<'_> {
    /// Whether the export is a folder of files.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// What the user has to know to use the files. One sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Writes the export to `path`, a file, or a folder that is made if it does not exist. A file is complete or not there: it is
    /// written beside its place first. Returns what was written.
    ///
    /// # Errors
    /// If a file cannot be written, or a tensor cannot be read.
    pub fn write_to(&self, path: &Path) -> Result<Vec<PathBuf>, WeightsError> {
        let named = |path: &Path, error: WeightsError| match error {
            WeightsError { path: None, fault } => WeightsError {
                path: Some(path.to_owned()),
                fault,
            },
            error => error,
        };
        if self.is_folder {
            std::fs::create_dir_all(path).map_err(|error| named(path, error.into()))?;
        }
        let mut written = Vec::new();
        for file in &self.files {
            let path = match self.is_folder {
                true => path.join(file.name),
                false => path.to_owned(),
            };
            replace(&path, |out| file.content.write(out)).map_err(|error| named(&path, error))?;
            written.push(path);
        }
        Ok(written)
    }

    /// Writes the file, or the files of a folder one after the other, to `out`.
    ///
    /// # Errors
    /// If `out` fails, or a tensor cannot be read.
    pub fn write(&self, out: &mut impl Write) -> Result<(), WeightsError> {
        self.files.iter().try_for_each(|file| file.content.write(out))
    }
}

/// Writes a file beside its place and moves it there.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), WeightsError>,
) -> Result<(), WeightsError> {
    let Some(name) = path.file_name() else {
        return Err(Fault::Io(std::io::Error::other("not the path of a file")).into());
    };
    let mut name = name.to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = (|| {
        let mut out = BufWriter::with_capacity(BUFFER, File::create(&partial)?);
        write(&mut out)?;
        let file = out.into_inner().map_err(|error| Fault::Io(error.into_error()))?;
        file.sync_all()?;
        drop(file);
        Ok(std::fs::rename(&partial, path)?)
    })();
    if written.is_err() {
        // The error that is returned is the first one.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

impl Content<'_> {
    fn write(&self, out: &mut impl Write) -> Result<(), WeightsError> {
        match self {
            Self::Text(text) => Ok(out.write_all(text.as_bytes())?),
            Self::Onnx(file) => file.write(out),
            Self::Safetensors(tensors, metadata) => {
                with_out(tensors, |tensors| write_safetensors(out, tensors, metadata))
            }
            Self::Pth(tensors) => with_out(tensors, |tensors| write_pth(out, tensors)),
            Self::Pickle(tensors, author) => with_out(tensors, |tensors| write_numpy_pickle(out, tensors, author)),
        }
    }
}

/// Calls `write` with the tensors in the form that the writers take.
fn with_out(
    tensors: &[Named<'_>],
    write: impl FnOnce(&[OutTensor<'_>]) -> Result<(), WeightsError>,
) -> Result<(), WeightsError> {
    let out: Vec<OutTensor<'_>> = tensors
        .iter()
        .map(|Named { name, values }| match values {
            NamedValues::Tensor(tensor) => OutTensor {
                name,
                shape: &tensor.shape,
                values: Values::Lazy(&tensor.values),
            },
            NamedValues::Counter(batches) => OutTensor {
                name,
                shape: &[],
                values: Values::I64(std::slice::from_ref(batches)),
            },
        })
        .collect();
    write(&out)
}

/// A model whose tensors were compared with its architecture, in the architecture's order.
pub(super) struct Checked<'m> {
    pub backbone: Vec<&'m ModelTensor<'m>>,
    pub projector: Vec<&'m ModelTensor<'m>>,
    pub projector_layers: Vec<ProjectorLayer>,
    batches: i64,
}

impl<'m> Checked<'m> {
    fn new(model: &'m ExportModel<'_>) -> Result<Self, ImportFault> {
        let backbone = in_order(
            &model.backbone,
            model.architecture.tensors(),
            &model.architecture.to_string(),
        )?;
        let projector: Vec<ImportTensor> = model
            .projector
            .iter()
            .map(|tensor| ImportTensor {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                from: tensor.name.clone(),
                minus: None,
            })
            .collect();
        let (projector_layers, named) = layers_of(&projector, model.architecture.feature_dim())?;
        // Numbers that are not this project's would need other names in every format.
        let expected = named.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
        let projector = in_order(&model.projector, expected, "projector")?;
        Ok(Self {
            backbone,
            projector,
            projector_layers,
            batches: model.batches,
        })
    }

    /// As torch's `state_dict` has it: the backbone's bare names if it is alone, else every part under its own prefix.
    fn state_dict(&self) -> Vec<Named<'m>> {
        let prefix = if self.projector.is_empty() { "" } else { "backbone." };
        let backbone = self
            .backbone
            .iter()
            .map(|&tensor| (format!("{prefix}{}", tensor.name), tensor));
        let projector = self.projector.iter().map(|&tensor| (tensor.name.clone(), tensor));
        let mut state = Vec::new();
        for (name, tensor) in backbone.chain(projector) {
            let counter = name
                .strip_suffix("running_var")
                .map(|norm| format!("{norm}num_batches_tracked"));
            state.push(Named {
                name,
                values: NamedValues::Tensor(tensor),
            });
            state.extend(counter.map(|name| Named {
                name,
                values: NamedValues::Counter(self.batches),
            }));
        }
        state
    }
}

/// The tensors in the expected order.
fn in_order<'m>(
    tensors: &'m [ModelTensor<'_>],
    expected: Vec<(String, Vec<usize>)>,
    network: &str,
) -> Result<Vec<&'m ModelTensor<'m>>, ImportFault> {
    let mut by_name: HashMap<&str, &ModelTensor<'_>> = HashMap::new();
    for tensor in tensors {
        if by_name.insert(&tensor.name, tensor).is_some() {
            return Err(ImportFault::Twice {
                name: tensor.name.clone(),
                first: tensor.name.clone(),
                second: tensor.name.clone(),
            });
        }
    }
    let whole = expected.len();
    let network = network.to_owned();
    let (mut ordered, mut missing, mut mismatches) = (Vec::new(), Vec::new(), Vec::new());
    for (name, shape) in expected {
        match by_name.remove(name.as_str()) {
            None => missing.push(name),
            Some(tensor) if tensor.shape != shape => mismatches.push(ShapeMismatch {
                name,
                found: tensor.shape.clone(),
                expected: shape,
            }),
            Some(tensor) => ordered.push(tensor),
        }
    }
    let mut unexpected: Vec<String> = by_name.into_keys().map(ToOwned::to_owned).collect();
    unexpected.sort_unstable();
    if !missing.is_empty() {
        return Err(ImportFault::Incomplete {
            network,
            whole,
            missing,
        });
    }
    if !mismatches.is_empty() {
        return Err(ImportFault::Shapes { network, mismatches });
    }
    match unexpected.is_empty() {
        true => Ok(ordered),
        false => Err(ImportFault::Unexpected { network, unexpected }),
    }
}
