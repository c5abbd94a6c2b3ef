//! The block of a vision transformer: x + attention(norm(x)), then x + MLP(norm(x)).

use super::config::{VitConfig, VitInit};
use crate::init_as::{InitAs, WeightInit};
use crate::layers::{Linear, LinearConfig};
use crate::norm::LayerNorm;
use barlow_ops::{ModelOps, attention, gelu};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Added to the variance by all norms of timm's and MoCo v3's ViTs.
pub(super) const EPSILON: f64 = 1e-6;

/// A block with pre-norm.
#[derive(Module, Debug)]
pub struct VitBlock<B: Backend> {
    norm1: LayerNorm<B>,
    attn: VitAttention<B>,
    norm2: LayerNorm<B>,
    mlp: VitMlp<B>,
}

/// Attention of all heads.
#[derive(Module, Debug)]
pub struct VitAttention<B: Backend> {
    /// D → 3D: queries, keys and values, each by heads.
    qkv: InitAs<Linear<B>>,
    proj: InitAs<Linear<B>>,
    heads: usize,
}

/// Two linear layers with a GELU between them.
#[derive(Module, Debug)]
pub struct VitMlp<B: Backend> {
    fc1: InitAs<Linear<B>>,
    fc2: InitAs<Linear<B>>,
}

/// What a block does with its branches in training: a factor for each image, 0 or 1/(1 − rate).
pub(super) type BranchFactors<B> = [Tensor<B, 3>; 2];

impl<B: Backend> VitBlock<B> {
    pub(super) fn new(config: &VitConfig, device: &B::Device) -> Self {
        let width = config.width;
        let (of_qkv, of_others) = match config.init {
            VitInit::Timm => (WeightInit::Normal, WeightInit::Normal),
            VitInit::MocoV3 => (WeightInit::XavierOfThirds, WeightInit::Xavier),
        };
        let linear = |init, from, to| InitAs::new(init, LinearConfig::new(from, to).with_bias(true).init(device));
        let norm = || LayerNorm::new(width, EPSILON, device);
        Self {
            norm1: norm(),
            attn: VitAttention {
                qkv: linear(of_qkv, width, 3 * width),
                proj: linear(of_others, width, width),
                heads: config.heads,
            },
            norm2: norm(),
            mlp: VitMlp {
                fc1: linear(of_others, width, 4 * width),
                fc2: linear(of_others, 4 * width, width),
            },
        }
    }
}

impl<B: ModelOps> VitBlock<B> {
    /// [N, T, D] → [N, T, D].
    pub(super) fn forward(&self, x: Tensor<B, 3>, factors: Option<BranchFactors<B>>) -> Tensor<B, 3> {
        let [n, tokens, width] = x.dims();
        let rows = |x: &Tensor<B, 3>| x.clone().reshape([n * tokens, width]);
        let scaled = |branch: Tensor<B, 2>, factor: Option<Tensor<B, 3>>| {
            let branch = branch.reshape([n, tokens, width]);
            match factor {
                Some(factor) => branch * factor,
                None => branch,
            }
        };
        let [of_attention, of_mlp] = match factors {
            Some([a, b]) => [Some(a), Some(b)],
            None => [None, None],
        };
        let branch = self.attn.forward(self.norm1.forward(rows(&x)), [n, tokens]);
        let x = x + scaled(branch, of_attention);
        let branch = self.mlp.forward(self.norm2.forward(rows(&x)));
        x + scaled(branch, of_mlp)
    }
}

impl<B: ModelOps> VitAttention<B> {
    /// [N · T, D] → [N · T, D].
    fn forward(&self, x: Tensor<B, 2>, [n, tokens]: [usize; 2]) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let (heads, of_head) = (self.heads, width / self.heads);
        let qkv = self.qkv.forward(x);
        let [q, k, v] = [0, 1, 2].map(|part| {
            let part = qkv.clone().narrow(1, part * width, width);
            part.reshape([n, tokens, heads, of_head]).swap_dims(1, 2)
        });
        let y = attention(q, k, v).swap_dims(1, 2).reshape([rows, width]);
        self.proj.forward(y)
    }
}

impl<B: ModelOps> VitMlp<B> {
    /// [M, D] → [M, D].
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.fc2.forward(gelu(self.fc1.forward(x)))
    }
}
