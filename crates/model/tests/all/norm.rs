//! Tests of batch norm: modes, visibility of the running statistics, and bitwise repeatability on large batches.

use crate::common;

use barlow_model::{BatchNorm, BatchNormConfig, NormMode};
use burn::module::{AutodiffModule, Module};
use burn::tensor::{FloatDType, Tensor};
use common::{Cpu, Train, assert_close, fill, host, images, tensors, value};

fn layer(features: usize) -> BatchNorm<Train> {
    BatchNormConfig::new(features).init(&Default::default())
}

#[test]
fn train_moves_the_statistics_once_a_pass_and_the_other_modes_never() {
    let norm = layer(3);
    // Channel c of two images of one pixel: mean c, unbiased variance 2(c + 1)².
    let x = Tensor::<Train, 4>::from_floats(
        [[[[-1.0]], [[-1.0]], [[-1.0]]], [[[1.0]], [[3.0]], [[5.0]]]],
        &Default::default(),
    );
    let statistics = |norm: &BatchNorm<Train>| (value(norm, "running_mean"), value(norm, "running_var"));
    let start = statistics(&norm);
    for mode in [NormMode::TrainFrozenStats, NormMode::Eval] {
        norm.forward(x.clone(), mode);
        assert_eq!(statistics(&norm), start, "{mode:?}");
    }
    norm.forward(x.clone(), NormMode::Train);
    let (mean, variance) = statistics(&norm);
    assert_close("mean", &mean, &[0.0, 0.1, 0.2], 1e-6);
    assert_close("variance", &variance, &[0.9 + 0.2, 0.9 + 0.8, 0.9 + 1.8], 1e-6);
    norm.forward(x, NormMode::Train);
    let (mean, variance) = statistics(&norm);
    assert_close("mean", &mean, &[0.0, 0.19, 0.38], 1e-6);
    assert_close("variance", &variance, &[0.81 + 0.38, 0.81 + 1.52, 0.81 + 3.42], 1e-6);
}

#[test]
fn every_reader_sees_the_newest_statistics() {
    let norm = layer(4);
    let kept = norm.clone();
    norm.forward(images([6, 4, 3, 5]), NormMode::Train);
    let newest = tensors(&norm);
    assert_ne!(newest["running_mean"].data, [0.0; 4]);
    assert_eq!(tensors(&norm.valid()), newest);
    assert_eq!(tensors(&norm.clone()), newest);
    assert_eq!(tensors(&norm.clone().fork(&Default::default())), newest);
    assert_eq!(host(norm.running_mean.value()), newest["running_mean"]);
    assert_eq!(
        value(&kept, "running_mean"),
        [0.0; 4],
        "a copy does not change with the original"
    );
    let restored = layer(4).load_record(norm.clone().into_record());
    assert_eq!(tensors(&restored), newest);
    assert_eq!(tensors(&BatchNorm::<Train>::from_inner(norm.valid())), newest);
}

#[test]
fn frozen_statistics_give_the_values_of_train() {
    let norm = fill(layer(4));
    let x = images::<Train, 4>([6, 4, 3, 5]);
    let frozen = host(norm.forward(x.clone(), NormMode::TrainFrozenStats));
    let train = host(norm.forward(x.clone(), NormMode::Train));
    assert_eq!(frozen, train);
    assert_ne!(host(norm.forward(x, NormMode::Eval)), train);
}

#[test]
fn statistics_stay_out_of_the_graph_and_weights_stay_in_it() {
    let norm = layer(4);
    let x = images::<Train, 4>([6, 4, 3, 5]).require_grad();
    for _ in 0..3 {
        let y = norm.forward(x.clone(), NormMode::Train);
        let gradients = y.powi_scalar(3).sum().backward();
        assert!(norm.weight.as_ref().unwrap().grad(&gradients).is_some());
        assert!(x.grad(&gradients).is_some());
        assert!(!norm.running_mean.value().is_require_grad() && !norm.running_var.value().is_require_grad());
    }
    // If the statistics were part of the graph, their sum would now have a gradient for x.
    let gradients = (norm.running_mean.value() + norm.running_var.value()).sum().backward();
    assert!(x.grad(&gradients).is_none());
}

/// The gradient flows through mean and variance, so it is orthogonal to shifts and scalings of a channel.
#[test]
fn the_gradient_is_free_of_shift_and_scale() {
    let norm = fill(layer(3));
    let x = images::<Train, 2>([50, 3]).require_grad();
    let y = norm.forward(x.clone(), NormMode::Train);
    let gradients = (y * images([50, 3]).sin().powi_scalar(2)).sum().backward();
    let gradient = x.grad(&gradients).unwrap();
    let size = gradient.clone().abs().sum_dim(0);
    for direction in [gradient.clone().sum_dim(0), (gradient * x.inner()).sum_dim(0)] {
        let share = host(direction.abs() / size.clone()).data;
        // Not exactly 0 for the scale, because epsilon is added to the variance.
        assert!(share.iter().all(|&share| share < 1e-4), "{share:?}");
    }
}

#[test]
fn a_vector_is_an_image_of_one_pixel() {
    let norm = fill(layer(5));
    let vectors = images::<Train, 2>([7, 5]);
    let pixels = vectors.clone().reshape([7, 5, 1, 1]);
    for mode in [NormMode::TrainFrozenStats, NormMode::Eval] {
        let (a, b) = (norm.forward(vectors.clone(), mode), norm.forward(pixels.clone(), mode));
        assert_eq!(host(a).data, host(b).data);
    }
}

#[test]
fn a_large_mean_does_not_eat_the_variance() {
    let norm: BatchNorm<Cpu> = BatchNormConfig::new(2).with_affine(false).init(&Default::default());
    assert_eq!(tensors(&norm).len(), 2, "no weight and no bias");
    let x = images::<Cpu, 4>([8, 2, 4, 4]);
    let plain = norm.forward(x.clone(), NormMode::Train);
    let shifted = norm.forward(x.add_scalar(1000.0), NormMode::Train);
    let difference = host((plain - shifted).abs().max()).data[0];
    // A float near 1000 has a spacing of 6e-5.
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn half_precision_keeps_its_type_and_f32_statistics() {
    let norm: BatchNorm<Cpu> = BatchNormConfig::new(2).init(&Default::default());
    let x = images::<Cpu, 4>([8, 2, 16, 16]).add_scalar(30.0).cast(FloatDType::F16);
    let y = norm.forward(x.clone(), NormMode::Train);
    assert_eq!(y.dtype(), x.dtype());
    let expected = host(norm.forward(x.cast(FloatDType::F32), NormMode::TrainFrozenStats)).data;
    let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
    assert_close("y", &host(y).data, &expected, 1e-3);
}

#[test]
#[should_panic(expected = "batch norm over 3 channels got x of shape [2, 4]")]
fn another_number_of_channels_is_refused() {
    layer(3).forward(images::<Train, 2>([2, 4]), NormMode::Eval);
}

#[test]
#[should_panic(expected = "two values per channel in training modes, got x of shape [1, 3, 1, 1]")]
fn one_value_a_channel_cannot_be_trained_on() {
    layer(3).forward(images::<Train, 4>([1, 3, 1, 1]), NormMode::Train);
}

/// Flex sums whole tensors above 4 Mi elements in an order that depends on work stealing. No result here may depend on it.
#[test]
fn a_large_batch_gives_the_same_bytes_every_time() {
    let once = || {
        let norm = fill(layer(16));
        let x = images::<Train, 4>([70, 16, 64, 65]).require_grad();
        assert!(x.shape().num_elements() > 4 << 20);
        let y = norm.forward(x.clone(), NormMode::Train);
        // Each value is its own weight, so that the loss needs no sum over all of them: the gradient is y itself.
        let gradients = (y.clone() * y.detach()).backward();
        let of = |name: &str, tensor| (name.to_owned(), host(tensor));
        let gradients = [
            of("x", x.grad(&gradients).unwrap().reshape([-1])),
            of("weight", norm.weight.as_ref().unwrap().grad(&gradients).unwrap()),
            of("bias", norm.bias.as_ref().unwrap().grad(&gradients).unwrap()),
        ];
        (gradients, tensors(&norm))
    };
    let first = once();
    assert!(first.0[0].1.data.iter().all(|v| v.is_finite()));
    for _ in 1..20 {
        // Not assert_eq: it would print millions of values.
        assert!(once() == first);
    }
}
