//! W-MSE's whitening and its gradient on the fusion backend, which computed wrong gradients where features were columns.

use barlow_loss::{w_mse, whiten};
use burn::backend::Autodiff;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor};
use burn_flex::Flex;

use crate::support::{Fused, device};

const N: usize = 16;

fn z<B: AutodiffBackend>(d: usize, phase: f32, device: &B::Device) -> Tensor<B, 2> {
    let i = Tensor::<B, 1, Int>::arange(0..(N * d) as i64, device).float();
    (i.clone() * i.mul_scalar(0.0731) + phase)
        .sin()
        .reshape([N, d])
        .detach()
        .require_grad()
}

fn both<B: AutodiffBackend>(d: usize, device: &B::Device) -> [Vec<f32>; 2] {
    let (a, b) = (z::<B>(d, 0.3, device), z::<B>(d, 0.9, device));
    let order = Tensor::<B, 1, Int>::arange(0..N as i64, device);
    let gradients = w_mse(a.clone(), b.clone(), order, N).backward();
    let read = |z: &Tensor<B, 2>| z.grad(&gradients).unwrap().into_data().to_vec().unwrap();
    [read(&a), read(&b)]
}

fn one<B: AutodiffBackend>(d: usize, device: &B::Device) -> Vec<f32> {
    let (a, b) = (z::<B>(d, 0.3, device), z::<B>(d, 0.9, device));
    let gradients = (whiten(a.clone(), N) * b).sum().backward();
    a.grad(&gradients).unwrap().into_data().to_vec().unwrap()
}

fn distance(got: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

#[test]
fn gradients_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    for d in [2, 3, 4, 8, 12] {
        let got = one::<Autodiff<Fused>>(d, &device);
        let expected = one::<Autodiff<Flex>>(d, &Default::default());
        assert!(distance(&got, &expected) < 1e-5, "whitening of {d} features");
        let got = both::<Autodiff<Fused>>(d, &device);
        let expected = both::<Autodiff<Flex>>(d, &Default::default());
        for (view, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let distance = distance(got, expected);
            assert!(distance < 1e-5, "{d} features, view {view}: {distance}");
        }
    }
}
