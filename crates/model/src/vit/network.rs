//! The vision transformer: patches, positions, blocks, a last norm, and a representation of the tokens.

use super::block::{BranchFactors, EPSILON, VitBlock};
use super::config::{Positions, VitConfig, VitPool};
use super::patches::{PatchEmbed, zeros};
use super::positions::sin_cos;
use crate::backbone::Backbone;
use crate::declared::DeclaredParam;
use crate::init_as::{InitAs, WeightInit};
use crate::kind::ParamKind;
use crate::norm::{LayerNorm, NormMode};
use crate::row_keys::RowKeys;
use barlow_ops::ModelOps;
use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

impl VitConfig {
    /// Builds the network with zero weights, not yet allocated, and its fixed positions. Set the weights with
    /// [`crate::initialize`] or [`crate::load_state_dict`].
    ///
    /// # Panics
    /// If [`check`](Self::check) fails.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Vit<B> {
        if let Err(error) = self.check() {
            panic!("a vision transformer cannot be built: {error}");
        }
        let &Self {
            width,
            depth,
            patch,
            pixels,
            pool,
            positions,
            drop_path,
            ..
        } = self;
        let prefix = self.prefix();
        let cls_token = (pool == VitPool::ClassToken).then(|| {
            let token = DeclaredParam::new(ParamKind::Token, zeros([1, 1, width], true, device));
            InitAs::new(WeightInit::TinyNormal, token)
        });
        let shape = [1, self.tokens(pixels), width];
        let pos_embed = match positions {
            Positions::Learned => {
                let param = DeclaredParam::new(ParamKind::Token, zeros(shape, true, device));
                InitAs::new(WeightInit::Normal, param)
            }
            Positions::SinCos => {
                let side = pixels / patch;
                let fixed = Param::uninitialized(
                    ParamId::new(),
                    move |device, _| sin_cos_tensor([side; 2], prefix, width, device),
                    device.clone(),
                    false,
                    shape.into(),
                );
                InitAs::new(WeightInit::Keep, DeclaredParam::new(ParamKind::Frozen, fixed))
            }
        };
        Vit {
            cls_token,
            pos_embed,
            patch_embed: PatchEmbed::new(self, device),
            blocks: (0..depth).map(|_| VitBlock::new(self, device)).collect(),
            norm: LayerNorm::new(width, EPSILON, device),
            patch,
            pixels,
            positions,
            drop_path,
        }
    }
}

/// A vision transformer without classifier, from images to representations.
#[derive(Module, Debug)]
pub struct Vit<B: Backend> {
    /// [1, 1, D]
    cls_token: Option<InitAs<DeclaredParam<B, 3>>>,
    /// [1, T, D], those of the class token first.
    pos_embed: InitAs<DeclaredParam<B, 3>>,
    patch_embed: PatchEmbed<B>,
    blocks: Vec<VitBlock<B>>,
    norm: LayerNorm<B>,
    patch: usize,
    pixels: usize,
    positions: Positions,
    drop_path: f64,
}

impl<B: ModelOps> Vit<B> {
    /// Representations: the class token or the mean of the patches' tokens, after the last norm. The mode and the batch make no
    /// difference.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised, of whole patches; with learned positions of the configured size
    /// - returns [N, F]
    ///
    /// # Panics
    /// If the images are others.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        self.forward_with(images, None)
    }

    fn forward_with(&self, images: Tensor<B, 4>, keys: Option<&RowKeys>) -> Tensor<B, 2> {
        let [n, _, height, width] = images.dims();
        let patches = self.patch_embed.forward(images);
        let [_, count, features] = patches.dims();
        let prefix = usize::from(self.cls_token.is_some());
        let tokens = match &self.cls_token {
            Some(token) => {
                let token = token.val().expand([n, 1, features]);
                Tensor::cat(vec![token, patches], 1)
            }
            None => patches,
        };
        let positions = self.positions([height / self.patch, width / self.patch], prefix, &tokens.device());
        let mut x = tokens + positions;
        for (index, block) in self.blocks.iter().enumerate() {
            let factors = self.branch_factors(index, keys, n, &x.device());
            x = block.forward(x, factors);
        }
        let [_, tokens, _] = x.dims();
        if prefix == 1 {
            // The other tokens do not reach the output.
            return self.norm.forward(x.narrow(1, 0, 1).reshape([n, features]));
        }
        let x = self.norm.forward(x.reshape([n * tokens, features]));
        x.reshape([n, count, features]).mean_dim(1).reshape([n, features])
    }

    /// Positions of a grid of patches, [1, T, D].
    fn positions(&self, grid: [usize; 2], prefix: usize, device: &B::Device) -> Tensor<B, 3> {
        let stored = self.pos_embed.val();
        let side = self.pixels / self.patch;
        if self.positions == Positions::Learned {
            assert!(
                grid == [side; 2],
                "learned positions of {side} x {side} patches, and an image of {} x {}",
                grid[0],
                grid[1]
            );
            return stored;
        }
        if grid == [side; 2] {
            return stored.detach();
        }
        let [_, _, width] = stored.dims();
        sin_cos_tensor(grid, prefix, width, device)
    }

    /// The factors of a block's branches; `None` if nothing is dropped.
    fn branch_factors(
        &self,
        block: usize,
        keys: Option<&RowKeys>,
        n: usize,
        device: &B::Device,
    ) -> Option<BranchFactors<B>> {
        let rate = self.drop_path * block as f64 / (self.blocks.len() - 1).max(1) as f64;
        let keys = keys.filter(|_| rate > 0.0)?;
        Some([0, 1].map(|branch| {
            let factor = |draw: f64| if draw < rate { 0.0 } else { (1.0 / (1.0 - rate)) as f32 };
            let factors: Vec<f32> = keys
                .draws((2 * block + branch) as u64)
                .into_iter()
                .map(factor)
                .collect();
            Tensor::from_data(TensorData::new(factors, [n, 1, 1]), device)
        }))
    }
}

fn sin_cos_tensor<B: Backend>(grid: [usize; 2], prefix: usize, width: usize, device: &B::Device) -> Tensor<B, 3> {
    let values = sin_cos(grid, prefix, width);
    let tokens = values.len() / width;
    Tensor::from_data(TensorData::new(values, [1, tokens, width]), device)
}

impl<B: ModelOps> Backbone<B> for Vit<B> {
    fn feature_dim(&self) -> usize {
        self.norm.weight.lazy_shape()[0]
    }

    fn forward(&self, images: Tensor<B, 4>, _: NormMode) -> Tensor<B, 2> {
        Self::forward(self, images)
    }

    /// With drop path in the training modes.
    fn forward_keyed(&self, images: Tensor<B, 4>, mode: NormMode, keys: &RowKeys) -> Tensor<B, 2> {
        self.forward_with(images, (mode != NormMode::Eval).then_some(keys))
    }
}
