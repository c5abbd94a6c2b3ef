//! Recognition of a layout by its names and shapes, and the mapping of its names.

use super::architecture::Architecture;
use super::names::{is_torchvision, is_vit, of_mlp, of_neck, of_sequential, of_torchvision_vit, of_vissl_head};
use super::origin::Origin;
use super::resnet::ResNetShape;
use super::vit::VitShape;
use crate::file::TensorInfo;
use std::collections::{BTreeMap, BTreeSet};

/// The name of a tensor in a file, and the name it is mapped to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapped {
    /// Name in the file.
    pub from: String,
    /// torchvision's name of a ResNet's tensor, or timm's of a vision transformer's; `projector.N.…` of a projector's, numbered as in an `nn.Sequential` of Linear,
    /// BatchNorm and activation.
    pub to: String,
}

/// The layout of a file, and the mapping of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The program that gave the names.
    pub origin: Origin,
    /// Prefix of all names of the backbone, such as `model.module.backbone.`.
    pub prefix: String,
    /// The backbone's architecture, if its weights are complete enough to infer it.
    pub architecture: Option<Architecture>,
    /// Tensors of the backbone.
    pub backbone: Vec<Mapped>,
    /// Tensors of the projector.
    pub projector: Vec<Mapped>,
    /// Widths of the projector's layers, first to last.
    pub projector_dims: Vec<usize>,
    /// All other tensors: classifiers, momentum encoders, the state of an optimiser.
    pub left_over: Vec<String>,
    /// What cannot be inferred from weights, or is not mapped. One sentence each.
    pub notes: Vec<&'static str>,
}

/// The notes on a 3 × 3 stem whose padding is assumed to be 1, or 2.
pub(crate) const STEM_NOTES: [&str; 2] = [
    "The padding of the 3 × 3 stem cannot be inferred from weights: 1 is assumed (solo-learn uses 2); see model.stem_padding.",
    "The padding of the 3 × 3 stem cannot be inferred from weights: 2 is assumed, as in solo-learn; see model.stem_padding.",
];

/// The note on a vision transformer.
pub(crate) const HEADS_NOTE: &str = "The number of attention heads cannot be inferred from weights: one per 64 of the width is assumed, and 12 for \
                                     MoCo v3's small network.";

/// How a backbone's layers are named under its prefix.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Named,
    Sequential,
    DeepStem,
    Vit,
    TorchvisionVit,
}

impl Style {
    fn is_vit(self) -> bool {
        matches!(self, Self::Vit | Self::TorchvisionVit)
    }
}

/// A prefix under which a backbone was found.
struct Candidate<'a> {
    prefix: &'a str,
    style: Style,
}

/// Recognises the layout of a file's tensors; `None` if there is neither a ResNet nor a vision transformer among them.
pub fn recognise(tensors: &[TensorInfo]) -> Option<Layout> {
    let shapes: BTreeMap<&str, &[usize]> = tensors
        .iter()
        .map(|info| (info.name.as_str(), &info.shape[..]))
        .collect();
    let names: BTreeSet<&str> = shapes.keys().copied().collect();
    let mut candidates = candidates(&shapes);
    // A momentum encoder is used only if there is no other. DINO's teacher is what its paper evaluates.
    let is_dino = candidates
        .iter()
        .any(|candidate| candidate.prefix.starts_with("student."));
    candidates.sort_by_key(|candidate| {
        let teacher = is_dino && candidate.prefix.starts_with("teacher.");
        (!teacher, is_secondary(candidate.prefix), candidate.prefix.len())
    });
    let Candidate { prefix, style } = candidates.into_iter().next()?;
    let (root, origin) = origin(prefix, style, &names);
    let mut backbone = Vec::new();
    let mut projector = Vec::new();
    let mut left_over = Vec::new();
    for info in tensors {
        let to_backbone = info.name.strip_prefix(prefix).and_then(|rest| match style {
            Style::Named => is_torchvision(rest).then(|| rest.to_owned()),
            Style::Sequential => of_sequential(rest),
            Style::DeepStem => None,
            Style::Vit => is_vit(rest).then(|| rest.to_owned()),
            Style::TorchvisionVit => of_torchvision_vit(rest),
        });
        let to_projector = || match origin {
            Origin::Moco => moco_head(info.name.strip_prefix(prefix)?),
            _ => projector_name(info.name.strip_prefix(root)?),
        };
        let from = info.name.clone();
        if let Some(to) = to_backbone {
            backbone.push(Mapped { from, to });
        } else if let Some(to) = to_projector() {
            projector.push(Mapped { from, to });
        } else {
            left_over.push(from);
        }
    }
    let by_name = backbone
        .iter()
        .map(|Mapped { from, to }| (to.as_str(), shapes[from.as_str()]));
    let by_name: BTreeMap<&str, &[usize]> = by_name.collect();
    let mut architecture = match style.is_vit() {
        true => VitShape::of_shapes(&by_name).map(Architecture::Vit),
        false => ResNetShape::of_shapes(&by_name).map(Architecture::ResNet),
    };
    if let Some(Architecture::ResNet(network)) = &mut architecture
        && network.stem_kernel == 3
        && origin == Origin::SoloLearn
    {
        network.stem_padding = 2;
    }
    if let Some(Architecture::Vit(network)) = &mut architecture
        && origin == Origin::Moco
        && network.size() == Some("small")
    {
        network.heads = 12;
    }
    let mut notes = Vec::new();
    match (style, &architecture) {
        (Style::DeepStem, _) => {
            notes.push("A deep stem has no counterpart in torchvision's ResNets, so it is not mapped.")
        }
        (_, Some(Architecture::ResNet(network))) if network.stem_kernel == 3 => {
            notes.push(STEM_NOTES[usize::from(network.stem_padding == 2)]);
        }
        (_, Some(Architecture::Vit(_))) => notes.push(HEADS_NOTE),
        _ => {}
    }
    if is_dino {
        notes.push("Of DINO's two networks the teacher is used, as in its paper.");
    }
    Some(Layout {
        origin,
        prefix: prefix.to_owned(),
        architecture,
        projector_dims: projector_dims(&projector, &shapes),
        backbone,
        projector,
        left_over,
        notes,
    })
}

fn candidates<'a>(shapes: &BTreeMap<&'a str, &[usize]>) -> Vec<Candidate<'a>> {
    let is_conv = |name: &str| shapes.get(name).is_some_and(|shape| shape.len() == 4);
    let mut found = Vec::new();
    for name in shapes.keys() {
        for (first, stem, style) in [
            ("layer1.0.conv1.weight", "conv1.weight", Style::Named),
            ("layer1.0.conv1.weight", "conv1.0.weight", Style::DeepStem),
            ("4.0.conv1.weight", "0.weight", Style::Sequential),
            ("blocks.0.attn.qkv.weight", "patch_embed.proj.weight", Style::Vit),
            (
                "encoder.layers.encoder_layer_0.self_attention.in_proj_weight",
                "conv_proj.weight",
                Style::TorchvisionVit,
            ),
        ] {
            if let Some(prefix) = name.strip_suffix(first)
                && (prefix.is_empty() || prefix.ends_with('.'))
                && (style.is_vit() || is_conv(name))
                && is_conv(&format!("{prefix}{stem}"))
            {
                found.push(Candidate { prefix, style });
            }
        }
    }
    found
}

/// Whether a prefix is that of a momentum encoder, or of an optimiser's buffers.
pub(crate) fn is_secondary(prefix: &str) -> bool {
    let mut parts = prefix.split('.');
    parts.any(|part| {
        part.contains("momentum")
            || part.contains("teacher")
            || part.contains("ema")
            || part.starts_with("target")
            || part == "encoder_k"
            || part == "optimizer"
    })
}

/// The prefix of the whole model, and the program that the layout is of.
fn origin<'a>(prefix: &'a str, style: Style, names: &BTreeSet<&str>) -> (&'a str, Origin) {
    let has = |root: &str, rest: &str| names.contains(format!("{root}{rest}").as_str());
    let under = |root: &str, rest: &str| {
        let start = format!("{root}{rest}");
        names
            .range(start.as_str()..)
            .next()
            .is_some_and(|name| name.starts_with(&start))
    };
    if style == Style::DeepStem {
        return (prefix, Origin::Timm);
    }
    for (end, origin) in [
        ("trunk._feature_blocks.", Origin::Vissl),
        ("base_encoder._feature_blocks.", Origin::Vissl),
        ("_feature_blocks.", Origin::Vissl),
        ("encoder_q.", Origin::Moco),
        ("base_encoder.", Origin::Moco),
    ] {
        if let Some(root) = prefix.strip_suffix(end) {
            return (root, origin);
        }
    }
    if prefix.starts_with("teacher.") && under("student.", "") {
        return (prefix.strip_suffix("backbone.").unwrap_or(prefix), Origin::Dino);
    }
    let root = prefix
        .strip_suffix("backbone.")
        .or_else(|| prefix.strip_suffix("encoder."));
    let Some(root) = root else {
        let bare = ["state_dict.", "model.", "module."]
            .iter()
            .fold(prefix, |rest, known| rest.strip_prefix(known).unwrap_or(rest));
        let origin = match style {
            _ if !bare.is_empty() => Origin::Prefixed,
            Style::Vit => Origin::TimmVit,
            Style::TorchvisionVit => Origin::TorchvisionVit,
            _ => Origin::Torchvision,
        };
        return (prefix, origin);
    };
    let is_own = !names.iter().any(|name| name.ends_with(".num_batches_tracked")) && prefix.ends_with("backbone.");
    let origin = if under(root, "projection_head.") {
        match style {
            Style::Sequential => Origin::LightlySequential,
            _ => Origin::Lightly,
        }
    } else if style == Style::Sequential {
        Origin::LightlySequential
    } else if under(root, "neck.") || under(root, "head.") {
        Origin::MmPretrain
    } else if root.is_empty() && prefix == "backbone." && (is_own || under(root, "projector.")) {
        Origin::OwnModel
    } else if is_own && root == "model." {
        Origin::OwnCheckpoint
    } else if has(root, "bn.running_mean") {
        Origin::BarlowTwins
    } else if root == "state_dict." || has(root, "projector.0.bias") {
        Origin::SoloLearn
    } else if under(root, "projector.") {
        Origin::BarlowTwins
    } else {
        Origin::Prefixed
    };
    (root, origin)
}

/// The name of a projector's tensor, by its name in the model.
fn projector_name(name: &str) -> Option<String> {
    let rest = |prefix| name.strip_prefix(prefix);
    None.or_else(|| of_mlp(rest("projector.")?))
        .or_else(|| of_mlp(rest("projection_head.layers.")?))
        .or_else(|| of_neck(rest("neck.")?))
        .or_else(|| of_vissl_head(rest("heads.")?))
}

/// The name of a tensor of MoCo's head, which is in the place of the classifier: `fc.N` of a ResNet, `head.N` of a vision
/// transformer. Version 1 has a single layer without a number, which is not told from a classifier and not mapped.
fn moco_head(name: &str) -> Option<String> {
    of_mlp(name.strip_prefix("fc.").or_else(|| name.strip_prefix("head."))?)
}

/// Output widths of the projector's linear layers.
fn projector_dims(projector: &[Mapped], shapes: &BTreeMap<&str, &[usize]>) -> Vec<usize> {
    let mut layers: Vec<(usize, usize)> = projector
        .iter()
        .filter_map(|Mapped { from, to }| {
            let number = to.strip_prefix("projector.")?.strip_suffix(".weight")?;
            match shapes[from.as_str()] {
                [out, _] => Some((number.parse().ok()?, *out)),
                _ => None,
            }
        })
        .collect();
    layers.sort_unstable();
    layers.into_iter().map(|(_, out)| out).collect()
}
