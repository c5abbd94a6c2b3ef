//! The architecture of a vision transformer, from the shapes of its weights.

use super::resnet::MAX_BLOCKS;
use std::collections::BTreeMap;
use std::fmt;

/// Width of an attention head in nearly every published network.
const HEAD: usize = 64;

/// Sizes by name: width, and blocks of the published networks.
const SIZES: &[(&str, usize, usize)] = &[
    ("tiny", 192, 12),
    ("small", 384, 12),
    ("base", 768, 12),
    ("large", 1024, 24),
];

/// Architecture of a vision transformer, inferred from its shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VitShape {
    /// Width of the tokens, which is the length of a representation.
    pub dim: usize,
    /// Blocks.
    pub depth: usize,
    /// Attention heads. Not visible in weights: one for each 64 of the width is assumed, as in nearly every published network, and
    /// 12 in MoCo v3's small one.
    pub heads: usize,
    /// Whether a class token is the representation. Otherwise it is the mean of the patches' tokens.
    pub class_token: bool,
    /// Hidden width of the blocks' MLPs.
    pub mlp_dim: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Side in pixels of the images that the position embedding is for.
    pub image: usize,
    /// Channels of an image.
    pub in_channels: usize,
}

impl VitShape {
    /// Infers the architecture from the shapes of weights with timm's names; `None` if one of those that tell it is missing.
    pub fn of_shapes(shapes: &BTreeMap<&str, &[usize]>) -> Option<Self> {
        let [dim, in_channels, patch, _] = (*shapes.get("patch_embed.proj.weight")?).try_into().ok()?;
        // The weight of queries, keys and values has three times as many rows, that of an MLP four times.
        dim.checked_mul(4)?;
        let [_, tokens, _] = (*shapes.get("pos_embed")?).try_into().ok()?;
        let depth = blocks(shapes)?;
        // Block 0 may be what is missing.
        let hidden = (0..depth).find_map(|block| shapes.get(format!("blocks.{block}.mlp.fc1.weight").as_str()));
        let [mlp_dim, _] = (*hidden?).try_into().ok()?;
        // One token is the class's, unless the others alone would be no square.
        let is_square = |count: usize| count > 0 && count.isqrt().pow(2) == count;
        let class_token = match (is_square(tokens.saturating_sub(1)), is_square(tokens)) {
            (false, false) => shapes.contains_key("cls_token"),
            (with, _) => with,
        };
        let side = tokens.saturating_sub(usize::from(class_token)).isqrt();
        Some(Self {
            dim,
            depth,
            heads: (dim / HEAD).max(1),
            class_token,
            mlp_dim,
            patch,
            image: side.checked_mul(patch)?,
            in_channels,
        })
    }

    /// `tiny`, `small`, `base` or `large`, by the width; the number of blocks may be another.
    pub fn size(&self) -> Option<&'static str> {
        let known = SIZES.iter().find(|&&(_, dim, _)| dim == self.dim)?;
        (Some(self.mlp_dim) == self.dim.checked_mul(4)).then_some(known.0)
    }

    /// Whether the number of blocks is that of the published networks of this size.
    fn has_usual_depth(&self) -> bool {
        SIZES
            .iter()
            .any(|&(_, dim, depth)| (dim, depth) == (self.dim, self.depth))
    }

    /// The word of `model.backbone` in a config, such as `vit-small`. Patch, image, blocks and heads are settings of their own.
    pub(super) fn config_name(&self) -> Option<String> {
        let size = self.size().filter(|size| *size != "large")?;
        Some(format!("vit-{size}"))
    }

    /// timm's name, such as `vit_small_patch16_224`, if the size has one (whether timm has this patch and image or not).
    pub fn name(&self) -> Option<String> {
        let size = self.size().filter(|_| self.has_usual_depth())?;
        Some(format!("vit_{size}_patch{}_{}", self.patch, self.image))
    }

    /// Patches along a side of an image.
    pub fn grid(&self) -> usize {
        self.image.checked_div(self.patch).unwrap_or(0)
    }

    /// Name and shape of every tensor, by timm's names, without classifier.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let &Self {
            dim,
            depth,
            mlp_dim,
            patch,
            in_channels,
            class_token,
            ..
        } = self;
        let mut tensors = Vec::new();
        if class_token {
            tensors.push(("cls_token".to_owned(), vec![1, 1, dim]));
        }
        let tokens = self.grid() * self.grid() + usize::from(class_token);
        tensors.extend([
            ("pos_embed".to_owned(), vec![1, tokens, dim]),
            (
                "patch_embed.proj.weight".to_owned(),
                vec![dim, in_channels, patch, patch],
            ),
            ("patch_embed.proj.bias".to_owned(), vec![dim]),
        ]);
        for block in 0..depth {
            for (layer, out, inputs) in [
                ("norm1", dim, None),
                ("attn.qkv", 3 * dim, Some(dim)),
                ("attn.proj", dim, Some(dim)),
                ("norm2", dim, None),
                ("mlp.fc1", mlp_dim, Some(dim)),
                ("mlp.fc2", dim, Some(mlp_dim)),
            ] {
                let weight = std::iter::once(out).chain(inputs).collect();
                tensors.push((format!("blocks.{block}.{layer}.weight"), weight));
                tensors.push((format!("blocks.{block}.{layer}.bias"), vec![out]));
            }
        }
        tensors.push(("norm.weight".to_owned(), vec![dim]));
        tensors.push(("norm.bias".to_owned(), vec![dim]));
        tensors
    }
}

/// Blocks, of which the last is there.
fn blocks(shapes: &BTreeMap<&str, &[usize]>) -> Option<usize> {
    let number = |name: &&str| {
        name.strip_prefix("blocks.")?
            .split_once('.')?
            .0
            .parse::<u16>()
            .ok()
            .filter(|&number| number < MAX_BLOCKS)
    };
    Some(usize::from(shapes.keys().filter_map(number).max()?) + 1)
}

impl fmt::Display for VitShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dim,
            depth,
            patch,
            image,
            ..
        } = self;
        match self.size() {
            Some(size) if self.has_usual_depth() => write!(formatter, "vit-{size}")?,
            Some(size) => write!(formatter, "vit-{size} of {depth} blocks")?,
            None => write!(formatter, "a vision transformer of {depth} blocks, width {dim}")?,
        }
        write!(
            formatter,
            ", patches of {patch} × {patch} for images of {image} × {image}"
        )
    }
}
