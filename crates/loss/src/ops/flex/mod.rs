//! [`LossOps`] for the CPU backend: each form fused with the standardisation before it and that one's gradient behind it.
//!
//! Work goes by blocks of features: a block is copied out of the embeddings into contiguous memory that the processor's cache
//! holds, standardised there, and multiplied there, so the embeddings are read from memory once forward and once
//! backward, and no standardised copy of them is stored (`direct` stores them for its products). Every sum has an order that
//! the shape and the number of threads decide, never the scheduler. f32 alone, as everywhere in [`LossOps`].

mod columns;
mod direct;
mod gradient;
mod gram;
mod matmul;
mod rows;
mod scratch;
mod sums;
mod wide;

use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorData, TensorMetadata};
use burn_flex::{Flex, FlexTensor};

use self::columns::Layout;
use self::gradient::Weights;
use super::{Forward, LossOps, Product, Saved};

impl LossOps for Flex {
    fn terms_forward(product: Product, z: [FloatTensor<Self>; 2], epsilon: f64, keep: bool) -> Forward<Self> {
        let layout = Layout::of(z[0].shape().dims());
        let z = z.map(|z| z.to_contiguous());
        let data = z.each_ref().map(|z| z.storage::<f32>());
        match product {
            Product::Direct => direct::forward(layout, data, epsilon, keep),
            Product::Gram => gram::forward(layout, data, epsilon, keep),
        }
    }

    fn terms_backward(
        product: Product,
        saved: Saved<Self>,
        gradient: FloatTensor<Self>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        let layout = Layout::of(saved.z[0].shape().dims());
        let z = saved.z.map(|z| z.to_contiguous());
        let data = z.each_ref().map(|z| z.storage::<f32>());
        let kept: Vec<&[f32]> = saved.kept.iter().map(|kept| kept.storage::<f32>()).collect();
        let gradient = gradient.to_contiguous();
        let weights = Weights::of(gradient.storage(), layout.n);
        let gradients = match product {
            Product::Direct => direct::backward(layout, data, &kept, weights, wanted),
            Product::Gram => gram::backward(layout, data, &kept, weights, wanted),
        };
        gradients.map(|gradient| gradient.map(|values| tensor(values, [layout.n, layout.d])))
    }
}

fn tensor<const R: usize>(values: Vec<f32>, shape: [usize; R]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, Shape::from(shape)))
}

/// Σ (1 − c_ii)², Σ c_ii, Σ c_ii² in 64 bits.
#[derive(Clone, Copy, Default)]
struct DiagonalSums {
    invariance: f64,
    total: f64,
    squares: f64,
}

impl DiagonalSums {
    fn of(diagonal: &[f32]) -> Self {
        let mut sums = Self::default();
        for &c in diagonal {
            let c = f64::from(c);
            sums.invariance += (1.0 - c).powi(2);
            sums.total += c;
            sums.squares += c * c;
        }
        sums
    }

    /// The packed sums.
    fn pack(self, redundancy: f64) -> FlexTensor {
        let sums = [self.invariance, redundancy, self.total, self.squares];
        tensor(sums.map(|sum| sum as f32).to_vec(), [4])
    }
}
