//! Tests of the convolution's autodiff node: Burn's gradients, finite differences, and gradients that are not computed.

use barlow_ops::{ConvGeometry, conv2d};
use burn::tensor::module::conv2d as burn_conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::BalancedCheckpointing;
use burn_flex::{Flex, FlexDevice};

type B = Autodiff<Flex>;

fn formula(shape: [usize; 4], seed: usize) -> TensorData {
    let value = |i: usize| ((i * 7 + seed * 13) as f32 * 0.1).sin();
    TensorData::new((0..shape.iter().product()).map(value).collect::<Vec<_>>(), shape)
}

fn close(ours: TensorData, other: TensorData, tolerance: f32) {
    assert_eq!(ours.shape, other.shape);
    let (ours, other): (Vec<f32>, Vec<f32>) = (ours.to_vec().unwrap(), other.to_vec().unwrap());
    let scale = other.iter().fold(1e-3f32, |scale, value| scale.max(value.abs()));
    for (a, b) in ours.iter().zip(&other) {
        assert!((a - b).abs() <= tolerance * scale, "{a} and {b} (scale {scale})");
    }
}

/// Gradients of Σ y·sin-pattern through two convolutions, so that both operands of the second are needed.
fn gradients<A: burn::tensor::backend::AutodiffBackend>(
    convolution: impl Fn(Tensor<A, 4>, Tensor<A, 4>, usize) -> Tensor<A, 4>,
) -> [TensorData; 3] {
    let device = Default::default();
    let tensor = |shape, seed| Tensor::<A, 4>::from_data(formula(shape, seed), &device);
    let x = tensor([3, 2, 9, 7], 1).require_grad();
    let first = tensor([5, 2, 3, 3], 2).require_grad();
    let second = tensor([4, 5, 3, 3], 3).require_grad();
    let hidden = convolution(x.clone(), first.clone(), 1);
    // `hidden` is retrieved twice: as an operand of a convolution and of an elementwise op.
    let hidden = hidden.clone() * hidden;
    let y = convolution(hidden, second.clone(), 2);
    let weights = Tensor::from_data(formula(y.dims(), 4), &device);
    let grads = (y * weights).sum().backward();
    [
        x.grad(&grads).unwrap(),
        first.grad(&grads).unwrap(),
        second.grad(&grads).unwrap(),
    ]
    .map(Tensor::into_data)
}

#[test]
fn gradients_are_burns() {
    let ours = gradients::<B>(|x, w, stride| conv2d(x, w, ConvGeometry { stride, padding: 1 }));
    let burns =
        gradients::<B>(|x, w, stride| burn_conv2d(x, w, None, ConvOptions::new([stride; 2], [1; 2], [1; 2], 1)));
    for (ours, burn) in ours.into_iter().zip(burns) {
        close(ours, burn, 1e-5);
    }
}

#[test]
fn balanced_checkpointing_gives_the_same() {
    let plain = gradients::<B>(|x, w, stride| conv2d(x, w, ConvGeometry { stride, padding: 1 }));
    type Balanced = Autodiff<Flex, BalancedCheckpointing>;
    let balanced = gradients::<Balanced>(|x, w, stride| conv2d(x, w, ConvGeometry { stride, padding: 1 }));
    assert_eq!(plain, balanced);
}

#[test]
fn gradients_are_difference_quotients() {
    let (device, geometry) = (FlexDevice, ConvGeometry { stride: 2, padding: 1 });
    let loss = |x: TensorData, weight: TensorData| -> f32 {
        let y = conv2d(
            Tensor::<Flex, 4>::from_data(x, &device),
            Tensor::from_data(weight, &device),
            geometry,
        );
        (y.clone() * y).sum().into_scalar()
    };
    let (x, weight) = (formula([2, 2, 5, 4], 1), formula([3, 2, 3, 3], 2));
    let (tracked_x, tracked_weight) = (
        Tensor::<B, 4>::from_data(x.clone(), &device).require_grad(),
        Tensor::<B, 4>::from_data(weight.clone(), &device).require_grad(),
    );
    let y = conv2d(tracked_x.clone(), tracked_weight.clone(), geometry);
    let grads = (y.clone() * y).sum().backward();

    // The loss is quadratic in each single operand, so central differences are exact except for rounding.
    let quotients = |operand: &TensorData, loss: &dyn Fn(TensorData) -> f32| {
        let values: Vec<f32> = operand.to_vec().unwrap();
        let moved = |index: usize, step: f32| {
            let mut values = values.clone();
            values[index] += step;
            loss(TensorData::new(values, operand.shape.clone()))
        };
        let all: Vec<f32> = (0..values.len())
            .map(|i| (moved(i, 0.5) - moved(i, -0.5)) / 1.0)
            .collect();
        TensorData::new(all, operand.shape.clone())
    };
    close(
        tracked_x.grad(&grads).unwrap().into_data(),
        quotients(&x, &|x| loss(x, weight.clone())),
        1e-4,
    );
    close(
        tracked_weight.grad(&grads).unwrap().into_data(),
        quotients(&weight, &|w| loss(x.clone(), w)),
        1e-4,
    );
}

/// Untracked images: only the weight has a gradient. Frozen weights: only the input has one. Neither tracked: no graph.
#[test]
fn untracked_operands_get_no_gradient() {
    let (device, geometry) = (FlexDevice, ConvGeometry { stride: 1, padding: 1 });
    let x = || Tensor::<B, 4>::from_data(formula([2, 3, 5, 5], 1), &device);
    let weight = || Tensor::<B, 4>::from_data(formula([4, 3, 3, 3], 2), &device);

    let (images, tracked) = (x(), weight().require_grad());
    let grads = conv2d(images.clone(), tracked.clone(), geometry).sum().backward();
    assert!(images.grad(&grads).is_none() && tracked.grad(&grads).is_some());

    let (tracked, frozen) = (x().require_grad(), weight());
    let grads = conv2d(tracked.clone(), frozen.clone(), geometry).sum().backward();
    assert!(tracked.grad(&grads).is_some() && frozen.grad(&grads).is_none());

    assert!(!conv2d(x(), weight(), geometry).is_require_grad());
}

#[test]
#[should_panic(expected = "input [2, 3, 5, 5] and weight [4, 2, 3, 3] do not fit")]
fn other_channels_are_refused() {
    let x = Tensor::<Flex, 4>::from_data(formula([2, 3, 5, 5], 1), &FlexDevice);
    let weight = Tensor::<Flex, 4>::from_data(formula([4, 2, 3, 3], 2), &FlexDevice);
    conv2d(x, weight, ConvGeometry { stride: 1, padding: 1 });
}

#[test]
#[should_panic(expected = "a kernel of 7 does not fit 5 pixels")]
fn a_kernel_larger_than_the_image_is_refused() {
    let x = Tensor::<Flex, 4>::from_data(formula([2, 3, 3, 9], 1), &FlexDevice);
    let weight = Tensor::<Flex, 4>::from_data(formula([4, 3, 7, 7], 2), &FlexDevice);
    conv2d(x, weight, ConvGeometry { stride: 1, padding: 1 });
}
