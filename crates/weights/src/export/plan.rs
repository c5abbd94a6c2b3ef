//! The files of an export: decided and checked first, then written.

use super::checked::{Checked, Named, NamedValues};
use super::detectron2;
use super::error::ExportError;
use super::format::ExportFormat;
use super::model::ExportModel;
use super::onnx::OnnxFile;
use super::timm;
use crate::error::{Fault, WeightsError};
use crate::import::{HEADS, STEM_PADDING};
use crate::layout::Architecture;
use crate::write::{OutTensor, Values, write_numpy_pickle, write_pth, write_safetensors};
use std::collections::BTreeMap;
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
