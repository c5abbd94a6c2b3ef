//! Settings of a vision transformer.

use serde::{Deserialize, Serialize};

/// Settings of a [`Vit`](crate::Vit).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VitConfig {
    /// Width D of a token, which is that of the representations (≥ 1); divided by 4 for [`Positions::SinCos`].
    pub width: usize,
    /// Number of blocks (≥ 1).
    pub depth: usize,
    /// Heads of the attention; must divide the width.
    pub heads: usize,
    /// Side of a patch in pixels (≥ 1).
    pub patch: usize,
    /// Side of an image in pixels, a multiple of the patch; the positions are those of its patches.
    pub pixels: usize,
    /// Channels of an image (≥ 1).
    pub in_channels: usize,
    /// How tokens become a representation.
    pub pool: VitPool,
    /// Positions of the patches.
    pub positions: Positions,
    /// Rate at which the last block's branches are dropped in training, in [0, 1); it rises linearly from 0 at the first block.
    pub drop_path: f64,
    /// Initial weights.
    pub init: VitInit,
    /// Whether the projection of the patches keeps its initial weights (MoCo v3).
    pub frozen_patches: bool,
}

impl VitConfig {
    /// Patches of 16 pixels of an RGB image of 224, a class token, learned positions, no drop path, timm's initial weights.
    pub fn new(size: VitSize) -> Self {
        let (width, heads) = match size {
            VitSize::Tiny => (192, 3),
            VitSize::Small => (384, 6),
            VitSize::Base => (768, 12),
        };
        Self {
            width,
            depth: 12,
            heads,
            patch: 16,
            pixels: 224,
            in_channels: 3,
            pool: VitPool::ClassToken,
            positions: Positions::Learned,
            drop_path: 0.0,
            init: VitInit::Timm,
            frozen_patches: false,
        }
    }

    /// Width F of the representations.
    pub fn feature_dim(&self) -> usize {
        self.width
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// What is wrong, in a few words.
    pub fn check(&self) -> Result<(), String> {
        let &Self {
            width,
            depth,
            heads,
            patch,
            pixels,
            in_channels,
            positions,
            drop_path,
            ..
        } = self;
        let fail = |what: String| Err(what);
        if [width, depth, heads, patch, pixels, in_channels].contains(&0) {
            return fail("width, depth, heads, patch, pixels and channels must be at least 1".to_owned());
        }
        if !width.is_multiple_of(heads) {
            return fail(format!("{heads} heads do not divide the width, {width}"));
        }
        if positions == Positions::SinCos && !width.is_multiple_of(4) {
            return fail(format!(
                "sine-cosine positions need a width that 4 divides, not {width}"
            ));
        }
        if !(0.0..1.0).contains(&drop_path) {
            return fail(format!("the rate of drop path must be in [0, 1), not {drop_path}"));
        }
        self.check_pixels(pixels)
    }

    /// Checks that the network takes images of `pixels` × `pixels`.
    ///
    /// # Errors
    /// Why not, in a few words.
    pub fn check_pixels(&self, pixels: usize) -> Result<(), String> {
        if pixels == 0 || !pixels.is_multiple_of(self.patch) {
            return Err(format!("{pixels} pixels are not whole patches of {}", self.patch));
        }
        if self.positions == Positions::Learned && pixels != self.pixels {
            return Err(format!(
                "learned positions are those of {} pixels, not of {pixels}; sine-cosine ones are of any size",
                self.pixels
            ));
        }
        Ok(())
    }

    /// Number of tokens of an image of `pixels` × `pixels`.
    pub(super) fn tokens(&self, pixels: usize) -> usize {
        (pixels / self.patch).pow(2) + self.prefix()
    }

    /// Tokens before those of the patches.
    pub(super) fn prefix(&self) -> usize {
        usize::from(self.pool == VitPool::ClassToken)
    }
}

/// Width and heads of a vision transformer; all have 12 blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VitSize {
    /// Width 192, 3 heads.
    Tiny,
    /// Width 384, 6 heads (MoCo v3's has 12).
    Small,
    /// Width 768, 12 heads.
    Base,
}

/// How tokens become a representation; the last norm comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VitPool {
    /// A learned token before those of the patches.
    #[default]
    ClassToken,
    /// The mean of the patches' tokens, without a class token.
    Mean,
}

/// Positions of the patches, added to their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// Learned, for images of one size.
    #[default]
    Learned,
    /// Fixed sines and cosines of row and column (MoCo v3), for images of any size.
    SinCos,
}

/// Initial weights of a vision transformer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VitInit {
    /// timm's: normal with standard deviation 0.02, and torch's default for the projection of the patches.
    #[default]
    Timm,
    /// MoCo v3's: `xavier_uniform_`, for queries, keys and values each as a layer of its own.
    MocoV3,
}
