//! Another program's file as a run: its weights in a checkpoint of step 0, so that every command takes it with `--from`.

use super::ImportedFile;
use crate::checkpoint::{Progress, write_weights};
use crate::config::Config;
use crate::error::RunError;
use crate::files::write_atomic;
use crate::run_dir::RunDir;
use crate::sources::Images;
use anyhow::Context;
use barlow_weights::{ExportFormat, ExportModel, export};
use std::path::Path;

/// What was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedRun {
    /// Tensors, of the projector too if there is one.
    pub tensors: usize,
    /// Their values.
    pub values: usize,
}

/// Writes a run with the file's weights to the folder `out`: `config.toml`, a checkpoint, `backbone.safetensors`. One tensor is in
/// memory at a time.
///
/// # Errors
/// [`RunError::Usage`] if the folder is taken; [`RunError::Failed`] if a tensor cannot be read or is not finite, or a file cannot
/// be written. A failed import leaves no `config.toml`, so that nothing takes the folder for a run.
pub fn import_run(imported: &ImportedFile, config: &Config, out: &Path) -> Result<ImportedRun, RunError> {
    let (run, _lock) = RunDir::claim(out).map_err(RunError::usage)?;
    let origin = imported.file.path().map(|path| path.display().to_string());
    let text = config.to_toml();
    let images = Images {
        count: 0,
        fingerprint: String::new(),
    };
    let progress = Progress {
        from: origin,
        ..Progress::start(text.clone(), images)
    };
    let tensors = imported.tensors();
    let shapes: Vec<(&str, &[usize])> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
        .collect();
    write_weights(&run, progress, &shapes, &|index| {
        Ok(tensors[index].1.read(&imported.file)?)
    })?;
    let mut model = ExportModel::of_import(&imported.file, &imported.import);
    model.projector.clear();
    let backbone = export(&model, ExportFormat::Safetensors).context("the imported backbone cannot be exported")?;
    backbone.write_to(&run.backbone()).map_err(anyhow::Error::from)?;
    write_atomic(&run.config(), text.as_bytes())?;
    Ok(ImportedRun {
        tensors: shapes.len(),
        values: shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum(),
    })
}
