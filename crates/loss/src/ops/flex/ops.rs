//! [`LossOps`] for the CPU backend: converts tensors to slices and back.

use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;
use burn_flex::Flex;

use super::columns::EmbeddingLayout;
use super::gradient::TermWeights;
use super::tensors::tensor;
use super::{direct, gram};
use crate::ops::{Forward, LossOps, Product, Saved};

impl LossOps for Flex {
    fn terms_forward(product: Product, z: [FloatTensor<Self>; 2], epsilon: f64, keep: bool) -> Forward<Self> {
        let layout = EmbeddingLayout::of(z[0].shape().dims());
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
        let layout = EmbeddingLayout::of(saved.z[0].shape().dims());
        let z = saved.z.map(|z| z.to_contiguous());
        let data = z.each_ref().map(|z| z.storage::<f32>());
        let kept: Vec<&[f32]> = saved.kept.iter().map(|kept| kept.storage::<f32>()).collect();
        let gradient = gradient.to_contiguous();
        let weights = TermWeights::of(gradient.storage(), layout.n);
        let gradients = match product {
            Product::Direct => direct::backward(layout, data, &kept, weights, wanted),
            Product::Gram => gram::backward(layout, data, &kept, weights, wanted),
        };
        gradients.map(|gradient| gradient.map(|values| tensor(values, [layout.n, layout.d])))
    }
}
