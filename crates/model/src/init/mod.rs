//! Initial weights, drawn on the host and keyed by (seed, parameter name).
//!
//! Every backend starts from the same bytes, and a layer's draw depends neither on the order of layers nor on the other
//! layers. No global generator, no generator of a backend.

mod draw;

use crate::names::PathStack;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use draw::Draw;
use serde::{Deserialize, Serialize};

/// From which distribution the weights of a convolution [C_out, C_in, k, k] are drawn.
///
/// Behind a batch norm the scale of a weight does not change what is computed, but how far a step of Adam turns it: weights
/// drawn small learn faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvInit {
    /// Normal with standard deviation √(2 / (C_out·k²)): torchvision's ResNets (`kaiming_normal_`, fan out, ReLU), so the
    /// official code's.
    #[default]
    FanOut,
    /// Uniform in ±1/√(C_in·k²): what `torch.nn.Conv2d` draws by itself, √6 times smaller where C_out is C_in.
    FanIn,
}

/// Draws every weight of a freshly built module, convolutions with [`ConvInit::FanOut`].
pub fn initialize<B: Backend, M: Module<B>>(module: M, seed: u64) -> M {
    initialize_with(module, seed, ConvInit::default())
}

/// Draws every weight of a freshly built module.
///
/// - convolutions as `convolutions` says;
/// - linear weights: uniform in ±1/√in, torch's default;
/// - vectors (batch norm) keep what their config gave them.
///
/// Names are relative to `module`: a backbone drawn alone differs from the same backbone drawn within a model.
pub fn initialize_with<B: Backend, M: Module<B>>(module: M, seed: u64, convolutions: ConvInit) -> M {
    module.map(&mut Initializer {
        seed,
        convolutions,
        path: PathStack::default(),
    })
}

struct Initializer {
    seed: u64,
    convolutions: ConvInit,
    path: PathStack,
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
        let mut draw = Draw::new(self.seed, &self.path.name());
        let values = match shape[..] {
            [out_channels, in_channels, height, width] => {
                let (taps, len) = (height * width, out_channels * in_channels * height * width);
                match self.convolutions {
                    ConvInit::FanOut => draw.normal(len, (2.0 / (out_channels * taps) as f64).sqrt()),
                    ConvInit::FanIn => draw.uniform(len, 1.0 / ((in_channels * taps) as f64).sqrt()),
                }
            }
            [inputs, outputs] => {
                // Drawn in torch's order [out, in], so that the exported weights do not depend on the layout kept here.
                let drawn = draw.uniform(inputs * outputs, 1.0 / (inputs as f64).sqrt());
                transpose(&drawn, outputs, inputs)
            }
            _ => return param,
        };
        let tensor = Tensor::from_data(TensorData::new(values, shape), &param.lazy_device());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}

/// [rows, columns] → [columns, rows].
pub(crate) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    // Blocks, because a plain walk down a wide column misses the cache at every value.
    const BLOCK: usize = 64;
    let mut transposed = vec![0.0; values.len()];
    for row_block in (0..rows).step_by(BLOCK) {
        for column_block in (0..columns).step_by(BLOCK) {
            for row in row_block..rows.min(row_block + BLOCK) {
                for column in column_block..columns.min(column_block + BLOCK) {
                    transposed[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    transposed
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn a_transpose_moves_every_value() {
        let (rows, columns) = (67, 131);
        let values: Vec<f32> = (0..rows * columns).map(|value| value as f32).collect();
        let transposed = transpose(&values, rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                assert_eq!(transposed[column * rows + row], values[row * columns + column]);
            }
        }
        assert_eq!(transpose(&transposed, columns, rows), values);
    }
}
