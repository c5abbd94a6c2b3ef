//! Initialisation of a module's parameters by their kind.
//!
//! The initial values are bitwise equal on every backend. The values of a layer do not depend on the other layers or on their
//! order, because no random number generator is shared, and no backend's generator is used.

use super::draw::Draw;
use crate::init_as::WeightInit;
use crate::kind::ParamKind;
use crate::layout::transpose;
use crate::names::{PathStack, named_shapes};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Standard deviation of embeddings and tokens, as in ViT and BERT.
const TOKEN_STD: f64 = 0.02;

/// Distribution of the initial weights of a convolution [C_out, C_in, k..].
///
/// If a batch norm follows, the scale of a weight does not affect the output, but it affects how far a step of Adam rotates the
/// weight: smaller weights learn faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvInit {
    /// Normal with standard deviation √(2 / (C_out·k²)): torchvision's ResNets (`kaiming_normal_`, fan out, ReLU), and therefore
    /// the official code.
    #[default]
    FanOut,
    /// Uniform in ±1/√(C_in·k²): the default of `torch.nn.Conv2d`, √6 times smaller where C_out = C_in.
    FanIn,
}

/// Initialises every parameter of a module, convolutions with [`ConvInit::FanOut`]; see [`initialize_with`].
pub fn initialize<B: Backend, M: Module<B>>(module: M, seed: u64) -> M {
    initialize_with(module, seed, ConvInit::default())
}

/// Initialises every parameter of a module, by its [`ParamKind`]:
///
/// - convolutions: the distribution given by `convolutions`;
/// - linear weights: uniform in ±1/√in, torch's default;
/// - biases: uniform in ±1/√(fan in) of the `weight` in the same layer, torch's default;
/// - embeddings and tokens: normal with standard deviation 0.02;
/// - norms, running statistics, frozen and other parameters: unchanged, with the values set by their module.
///
/// Weights below an [`InitAs`](crate::InitAs) have the distribution that it declares, and the biases of their layers remain zero, except for
/// [`WeightInit::FanIn`].
///
/// Names are relative to `module`, so a backbone initialised alone differs from the same backbone initialised within a model.
pub fn initialize_with<B: Backend, M: Module<B>>(module: M, seed: u64, convolutions: ConvInit) -> M {
    let fan_in = fan_in(&module);
    module.map(&mut Initializer {
        seed,
        convolutions,
        fan_in,
        path: PathStack::default(),
    })
}

/// Fan in (number of inputs per output) of the linear layers and convolutions, by the exported name of the layer.
fn fan_in<B: Backend, M: Module<B>>(module: &M) -> HashMap<String, usize> {
    let weights = named_shapes(module)
        .into_iter()
        .filter(|named| matches!(named.kind, ParamKind::Linear | ParamKind::Convolution));
    weights
        .filter_map(|named| {
            let fan_in = named.shape.iter().skip(1).product();
            match split(&named.name) {
                (layer, "weight") => Some((layer.to_owned(), fan_in)),
                _ => None,
            }
        })
        .collect()
}

/// Splits a name into the name of its layer and its last segment.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

struct Initializer {
    seed: u64,
    convolutions: ConvInit,
    fan_in: HashMap<String, usize>,
    path: PathStack,
}

impl Initializer {
    /// The initial values of a parameter in its module's layout; `None` if it retains its current values.
    fn values(&self, shape: &[usize]) -> Option<Vec<f32>> {
        let name = self.path.name();
        let mut draw = Draw::new(self.seed, &name);
        let len = shape.iter().product();
        let uniform_by = |fan_in: usize| 1.0 / (fan_in as f64).sqrt();
        let is_default = |init: &WeightInit| *init == WeightInit::FanIn && self.path.kind() == ParamKind::Bias;
        if let Some(init) = self.path.init().filter(|init| !is_default(init)) {
            return self.declared(init, shape, &mut draw);
        }
        match (self.path.kind(), shape) {
            (ParamKind::Convolution, &[out_channels, in_channels, ref kernel @ ..]) => {
                let taps: usize = kernel.iter().product();
                Some(match self.convolutions {
                    ConvInit::FanOut => draw.normal(len, (2.0 / (out_channels * taps) as f64).sqrt()),
                    ConvInit::FanIn => draw.uniform(len, uniform_by(in_channels * taps)),
                })
            }
            (ParamKind::Linear, &[inputs, outputs]) => {
                // Generated in torch's order [out, in], so that the exported weights do not depend on the layout in the module.
                let drawn = draw.uniform(len, uniform_by(inputs));
                Some(transpose(&drawn, outputs, inputs))
            }
            (ParamKind::Bias, _) => {
                let fan_in = self.fan_in.get(split(&name).0)?;
                Some(draw.uniform(len, uniform_by(*fan_in)))
            }
            (ParamKind::Embedding | ParamKind::Token, _) => Some(draw.normal(len, TOKEN_STD)),
            _ => None,
        }
    }
}

impl Initializer {
    /// The initial values of a parameter whose distribution is declared.
    fn declared(&self, init: WeightInit, shape: &[usize], draw: &mut Draw) -> Option<Vec<f32>> {
        let (kind, len) = (self.path.kind(), shape.iter().product());
        if matches!(kind, ParamKind::Bias | ParamKind::Norm | ParamKind::RunningStatistic) {
            return None;
        }
        // [out, in..] in all layouts except a linear layer's.
        let (fan_out, fan_in) = match (kind, shape) {
            (ParamKind::Linear, &[inputs, outputs]) => (outputs, inputs),
            (_, &[outputs, ref inputs @ ..]) => (outputs, inputs.iter().product()),
            (_, []) => return None,
        };
        let xavier = |fan_out: usize| (6.0 / (fan_in + fan_out) as f64).sqrt();
        let drawn = match init {
            WeightInit::Keep => return None,
            WeightInit::Normal => draw.normal(len, TOKEN_STD),
            WeightInit::TinyNormal => draw.normal(len, 1e-6),
            WeightInit::Xavier => draw.uniform(len, xavier(fan_out)),
            WeightInit::XavierOfThirds => draw.uniform(len, xavier(fan_out / 3)),
            WeightInit::FanIn => draw.uniform(len, 1.0 / (fan_in as f64).sqrt()),
        };
        Some(match kind {
            ParamKind::Linear => transpose(&drawn, fan_out, fan_in),
            _ => drawn,
        })
    }
}

impl<B: Backend> ModuleMapper<B> for Initializer {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let shape = param.lazy_shape();
        let Some(values) = self.values(&shape) else {
            return param;
        };
        let tensor = Tensor::from_data(TensorData::new(values, shape), &param.lazy_device());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}
