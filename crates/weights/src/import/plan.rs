//! What is imported from a file: decided and checked by names and shapes alone.

use super::error::{ImportError, ImportFault, ShapeMismatch};
use super::ignored::{Collector, Ignored, is_head, reason};
use super::projector::{ProjectorLayer, ProjectorNorm, layers_of};
use super::tensor::ImportTensor;
use crate::dtype::Dtype;
use crate::error::quoted;
use crate::file::{TensorInfo, WeightsFile};
use crate::layout::{
    Architecture, HEADS_NOTE, Layout, Mapped, Origin, ResNetShape, STEM_NOTES, VitShape, joined, recognise,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Key of a safetensors file's metadata: the padding of a 3 × 3 stem, which cannot be inferred from weights.
pub(crate) const STEM_PADDING: &str = "stem_padding";
/// Key of a safetensors file's metadata: the attention heads of a vision transformer.
pub(crate) const HEADS: &str = "heads";

/// How a file is imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What is done with the projector.
    pub projector: ProjectorImport,
}

/// What is done with a projector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProjectorImport {
    /// Fitted to the projectors of `model.projector`, which have no biases: a bias before a batch norm is subtracted from its
    /// running mean, which is the same function, and the last layer's is dropped with a note. A projector of another structure is
    /// skipped, with a note.
    #[default]
    Fit,
    /// Whatever its structure is.
    AsStored,
    /// Skipped.
    Skip,
}

/// What is imported from a file. No value was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The program that gave the names.
    pub origin: Origin,
    /// What was recognised, in one line.
    pub summary: String,
    /// Architecture of the backbone.
    pub architecture: Architecture,
    /// Every tensor of the backbone, by torchvision's names (a ResNet's) or timm's (a vision transformer's).
    pub backbone: Vec<ImportTensor>,
    /// Every tensor of the projector, `projector.N.…`; empty if there is none to import.
    pub projector: Vec<ImportTensor>,
    /// Layers of the imported projector.
    pub projector_layers: Vec<ProjectorLayer>,
    /// What is not imported, by reason.
    pub ignored: Vec<Ignored>,
    /// What the user has to know: what cannot be inferred from weights, and what was changed. One sentence each.
    pub notes: Vec<String>,
}

impl Import {
    /// The imported projector as text of `model.projector`, such as `8192-8192-8192`; `None` if there is none, or it has another
    /// structure.
    pub fn projector_text(&self) -> Option<String> {
        let is_plain = is_of_config(&self.projector_layers) && self.projector_layers.iter().all(|layer| !layer.bias);
        let widths: Vec<usize> = self.projector_layers.iter().map(|layer| layer.width).collect();
        (is_plain && !widths.is_empty()).then(|| joined(&widths))
    }

    /// Whether the projector's hidden layers have batch norms, as `model.projector_norm`. A single layer has none to tell.
    pub fn projector_norm(&self) -> bool {
        self.projector_layers.len() == 1
            || (self.projector_layers.iter()).any(|layer| layer.norm != ProjectorNorm::None)
    }

    /// The settings of `[model]` that build this network.
    ///
    /// # Errors
    /// [`ImportFault::Unsupported`] if no word of `model.backbone` is this network.
    pub fn settings(&self) -> Result<ModelSettings, ImportError> {
        let unsupported = || ImportError {
            path: None,
            fault: ImportFault::Unsupported {
                what: format!("{} is not one of this program's networks", self.architecture),
                advice: "ResNets, wide ResNets, resnext50_32x4d and vision transformers of the sizes in model.backbone can be imported",
            },
        };
        Ok(ModelSettings {
            backbone: self.architecture.config_name().ok_or_else(unsupported)?,
            architecture: self.architecture.clone(),
            projector: self.projector_text(),
            projector_norm: self.projector_norm(),
        })
    }

    /// Bytes of the largest tensor, as f32.
    pub fn largest_tensor(&self) -> u64 {
        let tensors = self.backbone.iter().chain(&self.projector);
        let size =
            |tensor: &ImportTensor| (tensor.shape.iter()).fold(4u64, |bytes, &size| bytes.saturating_mul(size as u64));
        let bytes = tensors.map(size);
        bytes.max().unwrap_or(0)
    }
}

/// Settings of a config's `[model]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSettings {
    /// `model.backbone`.
    pub backbone: String,
    /// Width, channels and stem of a ResNet; patch and image of a vision transformer.
    pub architecture: Architecture,
    /// `model.projector`, if one is imported.
    pub projector: Option<String>,
    /// `model.projector_norm`.
    pub projector_norm: bool,
}

/// Whether the layers are those of `model.projector`, apart from biases: hidden layers all with or all without batch norm, and a
/// last layer without.
fn is_of_config(layers: &[ProjectorLayer]) -> bool {
    let Some((last, hidden)) = layers.split_last() else {
        return true;
    };
    let norm = hidden.first().map_or(ProjectorNorm::None, |layer| layer.norm);
    last.norm == ProjectorNorm::None
        && matches!(norm, ProjectorNorm::None | ProjectorNorm::Affine)
        && hidden.iter().all(|layer| layer.norm == norm)
}

/// Decides what is imported from a file. Reads names and shapes only.
///
/// All or nothing: every tensor of the recognised network is there with the right shape, and nothing else is in its place.
///
/// # Errors
/// One line: nothing is recognised, the network is not one of this project's, or tensors are missing, unexpected or of other
/// shapes.
pub fn import(file: &WeightsFile, options: &ImportOptions) -> Result<Import, ImportError> {
    let mut import = import_listing(file.tensors(), options).map_err(|fault| ImportError {
        path: file.path().map(ToOwned::to_owned),
        fault,
    })?;
    apply_metadata(file, &mut import);
    Ok(import)
}

/// Takes from the file's metadata what cannot be inferred from weights, where this project's exports recorded it.
fn apply_metadata(file: &WeightsFile, import: &mut Import) {
    let number = |key: &str| file.metadata().get(key)?.parse::<usize>().ok();
    match &mut import.architecture {
        Architecture::ResNet(shape) if shape.stem_kernel == 3 => {
            if let Some(padding) = number(STEM_PADDING).filter(|&padding| padding <= 2) {
                shape.stem_padding = padding;
                import.notes.retain(|note| !STEM_NOTES.contains(&note.as_str()));
            }
        }
        Architecture::ResNet(_) => {}
        Architecture::Vit(shape) => {
            if let Some(heads) = number(HEADS).filter(|&heads| heads > 0 && shape.dim.is_multiple_of(heads)) {
                shape.heads = heads;
                import.notes.retain(|note| note != HEADS_NOTE);
            }
        }
    }
}

/// As [`import`], from a listing of tensors with different names.
///
/// # Errors
/// As [`import`].
pub fn import_listing(tensors: &[TensorInfo], options: &ImportOptions) -> Result<Import, ImportFault> {
    let layout = recognise(tensors).ok_or_else(|| ImportFault::Unrecognised {
        count: tensors.len(),
        names: tensors.iter().take(3).map(|info| info.name.clone()).collect(),
    })?;
    let infos: HashMap<&str, &TensorInfo> = tensors.iter().map(|info| (info.name.as_str(), info)).collect();
    let architecture = architecture_of(&layout, &infos)?;
    let network = network_name(&architecture);
    let mut ignored = Collector::default();
    let mut unexpected = Vec::new();
    for name in &layout.left_over {
        match is_of_backbone(name, &layout, &architecture) {
            true => unexpected.push(name.clone()),
            false => ignored.add(reason(name, &layout), name),
        }
    }
    let mut notes: Vec<String> = layout.notes.iter().map(|note| (*note).to_owned()).collect();
    let backbone = collect(&layout.backbone, &infos, &mut ignored)?;
    let backbone = check(backbone, &architecture, &network, &layout.prefix)?;
    if !unexpected.is_empty() {
        return Err(ImportFault::Unexpected { network, unexpected });
    }
    let (projector_layers, projector) = match options.projector {
        ProjectorImport::Skip => {
            let names = layout.projector.iter();
            names.for_each(|mapped| ignored.add("projector, skipped on request", &mapped.from));
            (Vec::new(), Vec::new())
        }
        how => {
            let stored = collect(&layout.projector, &infos, &mut ignored)?;
            match (layers_of(&stored, architecture.feature_dim()), how) {
                (Ok((layers, tensors)), ProjectorImport::Fit) => fit(layers, tensors, &mut ignored, &mut notes),
                (Err(ImportFault::Unsupported { .. }), ProjectorImport::Fit) => {
                    skip_projector(&stored, &mut ignored, &mut notes);
                    (Vec::new(), Vec::new())
                }
                (layers, _) => layers?,
            }
        }
    };
    let wide = backbone.iter().chain(&projector);
    let wide = wide
        .filter(|tensor| infos[tensor.from.as_str()].dtype == Dtype::F64)
        .count();
    if wide > 0 {
        notes.push(match wide {
            1 => "One tensor is float64 and is rounded to float32.".into(),
            _ => format!("{wide} tensors are float64 and are rounded to float32."),
        });
    }
    notes.push(
        "The normalisation of images cannot be inferred from weights: set data.normalize to the statistics of the training.".into(),
    );
    Ok(Import {
        origin: layout.origin,
        summary: summary(&layout, &architecture, &projector_layers),
        architecture,
        backbone,
        projector,
        projector_layers,
        ignored: ignored.finish(),
        notes,
    })
}

fn summary(layout: &Layout, architecture: &Architecture, projector: &[ProjectorLayer]) -> String {
    let under = match layout.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" under {}", quoted(prefix)),
    };
    let widths: Vec<usize> = projector.iter().map(|layer| layer.width).collect();
    let projector = match widths.is_empty() {
        true => "no projector".to_owned(),
        false => format!("projector {}", joined(&widths)),
    };
    format!("{}{under}: {architecture}; {projector}", layout.origin)
}

/// Short name for messages.
fn network_name(architecture: &Architecture) -> String {
    architecture.config_name().unwrap_or_else(|| match architecture {
        Architecture::ResNet(shape) => format!("ResNet of {} blocks", joined(&shape.blocks)),
        Architecture::Vit(shape) => format!("vision transformer of {} blocks, width {}", shape.depth, shape.dim),
    })
}

/// The architecture that the file's tensors are, or are a part of.
fn architecture_of(layout: &Layout, infos: &HashMap<&str, &TensorInfo>) -> Result<Architecture, ImportFault> {
    if layout.backbone.is_empty() {
        return Err(ImportFault::Unsupported {
            what: format!("{} is not one of this program's networks", layout.origin),
            advice: "ResNets with a single convolution as their stem can be imported",
        });
    }
    let shapes: BTreeMap<&str, &[usize]> = layout
        .backbone
        .iter()
        .map(|Mapped { from, to }| (to.as_str(), &infos[from.as_str()].shape[..]))
        .collect();
    let missing = |names: &[&str], network: &str, whole: usize| ImportFault::Incomplete {
        network: network.to_owned(),
        whole,
        missing: names
            .iter()
            .filter(|name| !shapes.contains_key(*name))
            .map(|name| format!("{}{name}", layout.prefix))
            .collect(),
    };
    if shapes.contains_key("patch_embed.proj.weight") {
        return match VitShape::of_shapes(&shapes) {
            Some(shape) => Ok(Architecture::Vit(shape)),
            None => {
                let names = ["cls_token", "pos_embed", "blocks.0.mlp.fc1.weight"];
                Err(missing_or_unsupported(missing(
                    &names,
                    "vision transformer",
                    names.len(),
                )))
            }
        };
    }
    let Some(shape) = ResNetShape::of_first_layers(&shapes) else {
        let names = ["layer1.0.conv2.weight"];
        return Err(missing_or_unsupported(missing(&names, "ResNet", shapes.len() + 1)));
    };
    if !matches!(shape.stem_kernel, 3 | 7) {
        return Err(ImportFault::Unsupported {
            what: format!(
                "a ResNet with a {0} × {0} stem is not one of this program's networks",
                shape.stem_kernel
            ),
            advice: "stems of 7 × 7 (ImageNet) and 3 × 3 (CIFAR) can be imported",
        });
    }
    if let Some(Architecture::ResNet(whole)) = &layout.architecture
        && whole.depth().is_some()
    {
        return Ok(Architecture::ResNet(whole.clone()));
    }
    shape
        .completed()
        .map(Architecture::ResNet)
        .ok_or_else(|| ImportFault::Unsupported {
            what: format!(
                "a ResNet of {} blocks is not one of this program's networks",
                joined(&shape.blocks)
            ),
            advice: "ResNet-18, -34, -50, -101 and -152 can be imported",
        })
}

/// A fault without a missing name is one of shapes.
fn missing_or_unsupported(fault: ImportFault) -> ImportFault {
    match fault {
        ImportFault::Incomplete { network, missing, .. } if missing.is_empty() => ImportFault::Unsupported {
            what: format!("the first layers have shapes that no {network} of this program has"),
            advice: "list them with `inspect`",
        },
        fault => fault,
    }
}

/// Whether a tensor that is mapped to nothing is in the backbone's place.
fn is_of_backbone(name: &str, layout: &Layout, architecture: &Architecture) -> bool {
    let Some(rest) = name.strip_prefix(&layout.prefix) else {
        return false;
    };
    if is_head(rest) {
        return false;
    }
    if !layout.prefix.is_empty() && layout.prefix != "state_dict." && layout.prefix != "model." {
        return true;
    }
    // Without a prefix of its own, only what is named as the backbone's layers are.
    let part = rest.split('.').next().unwrap_or_default();
    match architecture {
        Architecture::ResNet(_) => {
            part.starts_with("conv") || part.starts_with("bn") || part.starts_with("layer") || part.starts_with("stage")
        }
        Architecture::Vit(_) => {
            part.starts_with("blocks")
                || part.starts_with("norm")
                || part.starts_with("patch_embed")
                || part.starts_with("encoder")
                || part.ends_with("_token")
                || part.starts_with("pos_embed")
                || part == "fc_norm"
        }
    }
}

/// The mapped tensors without torch's counters.
fn collect(
    mapped: &[Mapped],
    infos: &HashMap<&str, &TensorInfo>,
    ignored: &mut Collector,
) -> Result<Vec<ImportTensor>, ImportFault> {
    let mut tensors = Vec::new();
    let mut taken: HashMap<&str, &str> = HashMap::new();
    for Mapped { from, to } in mapped {
        if to.ends_with(".num_batches_tracked") {
            ignored.add("num_batches_tracked, which only torch counts", from);
            continue;
        }
        if let Some(first) = taken.insert(to, from) {
            return Err(ImportFault::Twice {
                name: to.clone(),
                first: first.to_owned(),
                second: from.clone(),
            });
        }
        let info = infos[from.as_str()];
        if !info.dtype.is_real() {
            return Err(ImportFault::Dtype {
                name: from.clone(),
                dtype: info.dtype,
            });
        }
        tensors.push(ImportTensor {
            name: to.clone(),
            shape: info.shape.clone(),
            from: from.clone(),
            minus: None,
        });
    }
    Ok(tensors)
}

/// The backbone's tensors in the architecture's order.
fn check(
    tensors: Vec<ImportTensor>,
    architecture: &Architecture,
    network: &str,
    prefix: &str,
) -> Result<Vec<ImportTensor>, ImportFault> {
    let expected = architecture.tensors();
    let whole = expected.len();
    let names: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    let unexpected: Vec<String> = tensors
        .iter()
        .filter(|tensor| !names.contains(tensor.name.as_str()))
        .map(|tensor| tensor.from.clone())
        .collect();
    let mut found: HashMap<String, ImportTensor> = tensors
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor))
        .collect();
    let (mut checked, mut missing, mut mismatches) = (Vec::new(), Vec::new(), Vec::new());
    for (name, shape) in expected {
        match found.remove(&name) {
            None => missing.push(format!("{prefix}{name}")),
            Some(tensor) if tensor.shape != shape => mismatches.push(ShapeMismatch {
                name: tensor.from,
                found: tensor.shape,
                expected: shape,
            }),
            Some(tensor) => checked.push(tensor),
        }
    }
    let network = network.to_owned();
    if !missing.is_empty() {
        Err(ImportFault::Incomplete {
            network,
            whole,
            missing,
        })
    } else if !mismatches.is_empty() {
        Err(ImportFault::Shapes {
            network: format!("a {network}"),
            mismatches,
        })
    } else if !unexpected.is_empty() {
        Err(ImportFault::Unexpected { network, unexpected })
    } else {
        Ok(checked)
    }
}

/// Notes that a projector is not one of `model.projector`.
fn skip_projector(tensors: &[ImportTensor], ignored: &mut Collector, notes: &mut Vec<String>) {
    notes.push(
        "The projector is not made of linear maps with batch norms between them as model.projector is, so it is skipped; a run starts \
         with a new one."
            .into(),
    );
    let names = tensors.iter();
    names.for_each(|tensor| ignored.add("projector of another structure", &tensor.from));
}

/// Fits a projector to those of `model.projector`.
fn fit(
    mut layers: Vec<ProjectorLayer>,
    tensors: Vec<ImportTensor>,
    ignored: &mut Collector,
    notes: &mut Vec<String>,
) -> (Vec<ProjectorLayer>, Vec<ImportTensor>) {
    let last = layers.len().saturating_sub(1);
    let can_fold =
        |(number, layer): (usize, &ProjectorLayer)| number == last || !layer.bias || layer.norm != ProjectorNorm::None;
    if !is_of_config(&layers) || !layers.iter().enumerate().all(can_fold) {
        skip_projector(&tensors, ignored, notes);
        return (Vec::new(), Vec::new());
    }
    let biases: HashMap<String, String> = tensors
        .iter()
        .filter(|tensor| is_linear_bias(&tensor.name))
        .map(|tensor| (tensor.name.clone(), tensor.from.clone()))
        .collect();
    let last_bias = format!("projector.{}.bias", 3 * last);
    if biases.keys().any(|name| *name != last_bias) {
        notes.push(
            "The biases of the projector's hidden layers are subtracted from the running means of the batch norms behind them, which \
             is the same function."
                .into(),
        );
    }
    if let Some(name) = biases.get(&last_bias) {
        ignored.add("bias of the projector's last layer", name);
        notes.push(
            "The bias of the projector's last layer is dropped: embeddings are shifted by it, and the loss, which standardises them, is \
             unchanged."
                .into(),
        );
    }
    let fitted = tensors
        .into_iter()
        .filter(|tensor| !is_linear_bias(&tensor.name))
        .map(|tensor| {
            let minus = norm_number(&tensor.name)
                .and_then(|number| biases.get(&format!("projector.{}.bias", number - 1)).cloned());
            ImportTensor { minus, ..tensor }
        });
    let fitted = fitted.collect();
    layers.iter_mut().for_each(|layer| layer.bias = false);
    (layers, fitted)
}

/// Whether a projector's tensor is the bias of a linear layer: its number is a multiple of 3.
fn is_linear_bias(name: &str) -> bool {
    let number = name
        .strip_prefix("projector.")
        .and_then(|rest| rest.strip_suffix(".bias"));
    number
        .and_then(|number| number.parse::<usize>().ok())
        .is_some_and(|number| number % 3 == 0)
}

/// The number of the norm, if a projector's tensor is a running mean.
fn norm_number(name: &str) -> Option<usize> {
    let number = name.strip_prefix("projector.")?.strip_suffix(".running_mean")?;
    number.parse().ok()
}
