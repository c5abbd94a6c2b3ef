//! Test of a forward and backward pass around the loss's GPU kernels on the fusion backend: the kernels are queued between
//! elementwise operations, reductions and products that are fused and run lazily, and the results must agree with those of the
//! CPU.

use barlow_loss::ops::LossOps;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;

use crate::support::{Fused, device, float};

const N: usize = 32;
const D: usize = 48;
const LAMBDA: f32 = 0.0051;

/// Loss and gradients of both views, computed like the direct form; each round `k` has a different pair of embeddings.
fn pass<B: LossOps>(k: usize, device: &B::Device) -> Vec<Vec<f32>> {
    let z = |phase: f32| {
        let i = Tensor::<B, 1, burn::tensor::Int>::arange(0..(N * D) as i64, device).float();
        (i.mul_scalar(0.37 + 0.01 * k as f32) + phase).sin().reshape([N, D])
    };
    let (a, b) = (standardised(z(0.3)), standardised(z(0.5)));
    let c = a.clone().transpose().matmul(b.clone()).div_scalar(N as f32);
    let sums = wrap::<B, 1>(B::correlation_sums(float(c.clone())));
    let (invariance, redundancy) = (sums.clone().narrow(0, 0, 1), sums.clone().narrow(0, 1, 1));
    let loss = invariance + redundancy.mul_scalar(LAMBDA);
    // The weights depend on the loss, so that the second kernel cannot run before the first.
    let scale = loss.clone().mul_scalar(0.1).add_scalar(1.0);
    let weights = Tensor::cat(vec![scale.clone(), scale.mul_scalar(LAMBDA)], 0);
    let dc = wrap::<B, 2>(B::correlation_gradient(float(c), float(weights)));
    let da = b.matmul(dc.clone().transpose()).div_scalar(N as f32).sub_scalar(0.5);
    let db = a.matmul(dc).div_scalar(N as f32).add_scalar(0.5);
    let read = |x: Tensor<B, 1>| x.into_data().to_vec().unwrap();
    vec![
        read(loss),
        read(sums),
        read(da.reshape([N * D])),
        read(db.reshape([N * D])),
    ]
}

fn standardised<B: Backend>(z: Tensor<B, 2>) -> Tensor<B, 2> {
    let centred = z.clone() - z.mean_dim(0);
    let deviation = centred.clone().square().mean_dim(0).add_scalar(1e-5).sqrt();
    centred / deviation
}

fn wrap<B: Backend, const R: usize>(x: B::FloatTensorPrimitive) -> Tensor<B, R> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

#[test]
fn queued_kernels_run_in_their_turn() {
    let Some(device) = device() else { return };
    // The later rounds use the execution plans that the fusion layer cached in the first one.
    for k in 0..4 {
        let got = pass::<Fused>(k, &device);
        let expected = pass::<Flex>(k, &Default::default());
        for (slot, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            let error = got.iter().zip(expected).fold(0.0f32, |m, (g, e)| m.max((g - e).abs()));
            assert!(
                error <= 1e-4 * largest,
                "round {k}, result {slot}: off by {error} of {largest}"
            );
        }
    }
}
