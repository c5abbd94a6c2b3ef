//! Batch norm of the CPU backend as one operation: against tensor ops, torch's numbers, difference quotients, and itself.

#![cfg(feature = "cpu")]

use barlow_model::ops::{NormOps, NormSaved, batch_norm_train, norm_reference};
use burn::tensor::{Shape, Tensor, TensorData, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_flex::{Flex, FlexDevice, FlexTensor};

type B = Autodiff<Flex>;

const EPSILON: f64 = 1e-5;

fn formula<const D: usize>(shape: [usize; D], seed: usize) -> FlexTensor {
    let shape = Shape::new(shape);
    let value = |i: usize| ((i * 7 + seed * 13) as f32 * 0.1).sin() + 0.3 * seed as f32;
    FlexTensor::from_data(TensorData::new(
        (0..shape.num_elements()).map(value).collect::<Vec<_>>(),
        shape,
    ))
}

fn values(tensor: &FlexTensor) -> Vec<f32> {
    tensor.clone().into_data().to_vec().unwrap()
}

fn assert_close(ours: &[f32], other: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), other.len(), "{what}");
    let scale = other.iter().fold(1e-2f32, |scale, value| scale.max(value.abs()));
    for (index, (a, b)) in ours.iter().zip(other).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * scale,
            "{what}: element {index} is {a}, not {b} (scale {scale})"
        );
    }
}

/// y, mean, variance and the three gradients, by the backend's operation or by tensor ops.
fn all(shape: [usize; 3], fused: bool) -> [FlexTensor; 6] {
    let (x, dy) = (formula(shape, 1), formula(shape, 2));
    let (weight, bias) = (formula([shape[1]], 3), formula([shape[1]], 4));
    let (forward, backward): (fn(_, _, _, _) -> _, fn(_, _) -> _) = match fused {
        true => (Flex::batch_norm_forward, Flex::batch_norm_backward),
        false => (norm_reference::forward::<Flex>, norm_reference::backward::<Flex>),
    };
    let out = forward(x.clone(), weight.clone(), bias, EPSILON);
    let saved = NormSaved {
        x,
        weight,
        mean: out.mean.clone(),
        variance: out.variance.clone(),
        epsilon: EPSILON,
    };
    let gradients = backward(saved, dy);
    [
        out.y,
        out.mean,
        out.variance,
        gradients.x,
        gradients.weight,
        gradients.bias,
    ]
}

#[test]
fn agrees_with_tensor_ops_on_an_ugly_grid() {
    for shape in [
        [2, 1, 1],
        [3, 1, 7],
        [5, 17, 1],
        [3, 257, 1],
        [7, 600, 1],
        [3, 5, 4],
        [2, 130, 3],
        [5, 33, 49],
        [1, 3, 300],
        [3, 2, 1021],
    ] {
        let names = [
            "y",
            "mean",
            "variance",
            "gradient of x",
            "gradient of weight",
            "gradient of bias",
        ];
        for ((ours, other), name) in all(shape, true).iter().zip(&all(shape, false)).zip(names) {
            assert_eq!(ours.shape(), other.shape());
            // With two or three values a channel the variance can nearly vanish, and 1/σ multiplies what is rounded.
            let tolerance = if shape[0] * shape[2] < 10 { 1e-3 } else { 2e-5 };
            assert_close(
                &values(ours),
                &values(other),
                tolerance,
                &format!("{name} at {shape:?}"),
            );
        }
    }
}

/// ```python
/// import torch
/// def f(n, seed): return torch.sin((torch.arange(n) * 7 + seed * 13).float() * 0.1) + 0.3 * seed
/// x = f(2*3*4, 1).reshape(2, 3, 4).requires_grad_(); dy = f(24, 2).reshape(2, 3, 4)
/// w, b = f(3, 3).requires_grad_(), f(3, 4).requires_grad_()
/// y = torch.nn.functional.batch_norm(x, None, None, w, b, True, 0.1, 1e-5); y.backward(dy)
/// print(y.flatten()[:4], x.grad.flatten()[:4], w.grad, b.grad)
/// ```
#[test]
fn agrees_with_torch() {
    let [y, _, _, x, weight, bias] = all([2, 3, 4], true).map(|tensor| values(&tensor));
    assert_close(&y[..4], &[0.6273357, 0.6113728, 0.4695978, 0.2686898], 1e-5, "y");
    assert_close(
        &x[..4],
        &[0.2001805, 0.0049485, -0.1461531, -0.1820586],
        1e-5,
        "gradient of x",
    );
    assert_close(&weight, &[1.0231731, 1.7126018, 2.2874742], 1e-5, "gradient of weight");
    assert_close(&bias, &[1.9821144, 7.4513173, 2.6216257], 1e-5, "gradient of bias");
}

/// Autodiff through the operation and a square equals autodiff through tensor ops, with and without weight and bias.
#[test]
fn the_node_gives_the_gradients_of_tensor_ops() {
    let device = FlexDevice;
    let tracked = || Tensor::<B, 3>::from_data(formula([3, 5, 6], 1).into_data(), &device).require_grad();
    let vector = |seed| Tensor::<B, 1>::from_data(formula([5], seed).into_data(), &device).require_grad();
    let loss = |y: Tensor<B, 3>| (y.clone() * y.clone() * y).sum();
    for affine in [true, false] {
        let (x, weight, bias) = (tracked(), vector(3), vector(4));
        let options = affine.then(|| (weight.clone(), bias.clone())).unzip();
        let (y, mean, variance) = batch_norm_train(x.clone(), options.0, options.1, EPSILON);
        assert!(!mean.is_require_grad() && !variance.is_require_grad());
        let grads = loss(y).backward();

        let (plain_x, plain_weight, plain_bias) = (tracked(), vector(3), vector(4));
        let centred = plain_x.clone() - plain_x.clone().mean_dim(2).mean_dim(0);
        let variance = (centred.clone() * centred.clone()).mean_dim(2).mean_dim(0);
        let mut y = centred / (variance + EPSILON).sqrt();
        if affine {
            y = y * plain_weight.clone().reshape([1, 5, 1]) + plain_bias.clone().reshape([1, 5, 1]);
        }
        let plain = loss(y).backward();

        let data = |tensor: Option<Tensor<B, 1>>, grads: &_| tensor.map(|tensor| tensor.grad(grads));
        let gradient: Vec<f32> = x.grad(&grads).unwrap().into_data().to_vec().unwrap();
        assert_close(
            &gradient,
            &plain_x.grad(&plain).unwrap().into_data().to_vec::<f32>().unwrap(),
            1e-4,
            "x",
        );
        for (ours, other) in [(weight, plain_weight), (bias, plain_bias)] {
            let ours = data(Some(ours), &grads).unwrap();
            assert_eq!(ours.is_some(), affine);
            if let (Some(ours), Some(other)) = (ours, data(Some(other), &plain).unwrap()) {
                let (ours, other): (Vec<f32>, Vec<f32>) =
                    (ours.into_data().to_vec().unwrap(), other.into_data().to_vec().unwrap());
                assert_close(&ours, &other, 1e-4, "weight or bias");
            }
        }
    }
}

/// A large mean does not eat the variance: values 1000 ± 1 have variance 1.
#[test]
fn a_large_mean_keeps_the_variance() {
    let data: Vec<f32> = (0..4096)
        .map(|i| 1000.0 + if i % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let x = FlexTensor::from_data(TensorData::new(data, [4, 1, 1024]));
    let one = FlexTensor::from_data(TensorData::new(vec![1.0f32], [1]));
    let out = Flex::batch_norm_forward(x, one.clone(), one, EPSILON);
    assert_eq!((values(&out.mean), values(&out.variance)), (vec![1000.0], vec![1.0]));
}

#[test]
fn bits_do_not_depend_on_threads_or_luck() {
    for shape in [[16, 32, 256], [32, 700, 1], [9, 130, 16]] {
        let bits = || all(shape, true).map(|t| values(&t).into_iter().map(f32::to_bits).collect::<Vec<_>>());
        let first = bits();
        for repetition in 0..20 {
            assert!(bits() == first, "{shape:?}: repetition {repetition} differs");
        }
        for threads in [1, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(bits) == first, "{shape:?}: {threads} threads differ");
        }
    }
}

#[test]
#[should_panic(expected = "x of shape [2, 3, 4], but weight [5] and bias [3]")]
fn other_channels_are_refused() {
    let x = Tensor::<Flex, 3>::ones([2, 3, 4], &FlexDevice);
    batch_norm_train(x, Some(Tensor::ones([5], &FlexDevice)), None, EPSILON);
}
