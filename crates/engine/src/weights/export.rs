//! A run's network as a model for other programs' formats, with the facts of its model card.

use super::burn_record::write_record;
use crate::checkpoint::Checkpoint;
use crate::config::{Config, Normalize, NormalizeName};
use crate::error::RunError;
use crate::summary::Summary;
use crate::units::grouped;
use anyhow::{Context, Result};
use barlow_augment::Normalization;
use barlow_model::{BackboneConfig, StateDict, Stem};
use barlow_weights::{Architecture, ExportFormat, ExportModel, ModelCard, ModelTensor, ResNetShape, VitShape, export};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The part of a network that is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportPart {
    /// The backbone.
    #[default]
    Backbone,
    /// Backbone and projector.
    Full,
}

/// A format of exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFile {
    /// One of other programs.
    Weights(ExportFormat),
    /// Burn's record.
    Burn,
}

impl FromStr for ExportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "burn" {
            return Ok(Self::Burn);
        }
        ExportFormat::from_str(text)
            .map(Self::Weights)
            .map_err(|error| format!("{error}, burn"))
    }
}

impl ExportFile {
    /// Name of the file, or of timm's folder, where none is given.
    pub fn default_name(self, part: ExportPart) -> &'static str {
        let full = part == ExportPart::Full;
        match self {
            Self::Weights(ExportFormat::Safetensors) if full => "model.safetensors",
            Self::Weights(ExportFormat::Safetensors) => "backbone.safetensors",
            Self::Weights(ExportFormat::Pth) if full => "model.pth",
            Self::Weights(ExportFormat::Pth) => "backbone.pth",
            Self::Weights(ExportFormat::Timm) => "timm",
            Self::Weights(ExportFormat::Detectron2) => "detectron2.pkl",
            Self::Weights(ExportFormat::Onnx) if full => "model.onnx",
            Self::Weights(ExportFormat::Onnx) => "backbone.onnx",
            Self::Burn if full => "model.mpk",
            Self::Burn => "backbone.mpk",
        }
    }
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The files.
    pub files: Vec<PathBuf>,
    /// What the user has to know about them, a sentence each.
    pub notes: Vec<String>,
}

/// Writes the network of a run's checkpoint; `name` and `summary` are for the model's card.
///
/// # Errors
/// [`RunError::Usage`] if the format has no such networks; [`RunError::Failed`] if a file cannot be written.
pub fn export_network(
    name: &str,
    checkpoint: &Checkpoint,
    config: &Config,
    summary: Option<&Summary>,
    format: ExportFile,
    part: ExportPart,
    out: &Path,
) -> Result<Exported, RunError> {
    let format = match format {
        ExportFile::Weights(format) => format,
        ExportFile::Burn => {
            let weights = checkpoint.evaluated(config);
            let file = write_record(weights, config, part == ExportPart::Full, out)?;
            return Ok(Exported {
                files: vec![file],
                notes: Vec::new(),
            });
        }
    };
    let model = export_model(name, checkpoint, config, summary, part).map_err(RunError::Usage)?;
    let export = export(&model, format).map_err(RunError::usage)?;
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create the folder {}", parent.display()))?;
    }
    Ok(Exported {
        files: export.write_to(out).map_err(anyhow::Error::from)?,
        notes: export.notes().to_vec(),
    })
}

/// The model of a run's checkpoint: its tensors where they are in memory, and its card.
///
/// # Errors
/// If the backbone is not one whose architecture can be told from its weights.
fn export_model<'a>(
    name: &str,
    checkpoint: &'a Checkpoint,
    config: &Config,
    summary: Option<&Summary>,
    part: ExportPart,
) -> Result<ExportModel<'a>> {
    let weights = checkpoint.evaluated(config);
    let tensors = |prefix: &str, keep: &str| -> Vec<ModelTensor<'a>> {
        let own = weights.iter().filter(|(name, _)| name.starts_with(prefix));
        let named = own.map(|(name, tensor)| {
            let name = name.strip_prefix(keep).unwrap_or(name);
            ModelTensor::borrowed(name, &tensor.shape, &tensor.data)
        });
        named.collect()
    };
    let passes = config
        .method_definition()
        .spec(&config.method_inputs(None))
        .passes_of_views()
        .len() as i64;
    let parts = config
        .train
        .micro_batch
        .map_or(1, |images| config.train.batch_size / images) as i64;
    let steps = i64::try_from(checkpoint.progress.step).context("the number of steps does not fit in 64 bits")?;
    Ok(ExportModel {
        architecture: architecture(weights, config)?,
        backbone: tensors("backbone.", "backbone."),
        projector: match part {
            ExportPart::Backbone => Vec::new(),
            ExportPart::Full => tensors("projector.", ""),
        },
        batches: passes * parts * steps,
        card: card(name, checkpoint, config, summary),
    })
}

fn architecture(weights: &StateDict, config: &Config) -> Result<Architecture> {
    let backbone = weights
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("backbone.")?, tensor.shape.as_slice())));
    let shapes: BTreeMap<&str, &[usize]> = backbone.collect();
    if let Some(mut shape) = ResNetShape::of_shapes(&shapes) {
        // The padding is not visible in weights.
        if config.model.stem == Stem::Cifar {
            shape.stem_padding = config.model.stem_padding;
        }
        return Ok(Architecture::ResNet(shape));
    }
    let shape = VitShape::of_shapes(&shapes);
    let mut shape =
        shape.context("the backbone is a custom one, whose architecture cannot be told from its weights")?;
    if let BackboneConfig::Vit(vit) = config.backbone()? {
        shape.heads = vit.heads;
    }
    Ok(Architecture::Vit(shape))
}

fn card(name: &str, checkpoint: &Checkpoint, config: &Config, summary: Option<&Summary>) -> ModelCard {
    let statistics = match &config.data.normalize {
        Normalize::Given { mean, std } => Normalization {
            mean: mean.clone(),
            std: std.clone(),
        },
        // A run stores the set's own statistics as numbers.
        Normalize::Named(NormalizeName::Imagenet | NormalizeName::Data) => Normalization::imagenet(),
    };
    let progress = &checkpoint.progress;
    let trained = progress.images.count > 0;
    let row = |key: &str, value: String| (key.to_owned(), value);
    let mut recipe = Vec::new();
    if trained {
        recipe.push(row("epochs", config.train.epochs.to_string()));
        recipe.push(row("steps", progress.step.to_string()));
        recipe.push(row("batch size", config.train.batch_size.to_string()));
        recipe.push(row("projector", config.model.projector.clone()));
        recipe.push(row("optimizer", format!("{:?}", config.optimizer.kind).to_lowercase()));
        recipe.push(row("seed", config.run.seed.to_string()));
    }
    if let Some(from) = &progress.from {
        recipe.push(row("initial weights", from.clone()));
    }
    let percent = |value: f64| format!("{:.2} %", 100.0 * value);
    let accuracy = summary.map_or_else(Vec::new, |summary| {
        let rows = [
            ("linear probe, top-1", summary.linear_top1),
            ("linear probe, top-5", summary.linear_top5),
            ("kNN, top-1", summary.knn_top1),
        ];
        rows.into_iter()
            .filter_map(|(name, value)| Some(row(name, percent(value?))))
            .collect()
    });
    let folder = config
        .data
        .path
        .file_name()
        .map(|folder| folder.to_string_lossy().into_owned());
    ModelCard {
        name: name.to_owned(),
        method: if trained {
            config.method.kind.name().to_owned()
        } else {
            String::new()
        },
        data: match folder.filter(|_| trained) {
            Some(folder) => format!("{folder}: {} images, without labels", grouped(progress.images.count)),
            None => String::new(),
        },
        recipe,
        accuracy,
        mean: statistics.mean,
        std: statistics.std,
        pixels: config.eval.crop,
        program: format!("Barlow Twins in Rust, version {}", env!("CARGO_PKG_VERSION")),
    }
}
