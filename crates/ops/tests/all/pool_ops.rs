//! Tests of the CPU backend's pooling against Burn's own ops, torch's results, and itself.

use barlow_ops::{ConvGeometry, PoolOps, Window, max_pool2d, mean_pool2d, pool_reference};
use burn::tensor::{FloatDType, Shape, Tensor, TensorData, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_flex::{Flex, FlexDevice, FlexTensor};

type B = Autodiff<Flex>;

fn tensor<const D: usize>(shape: [usize; D], value: impl Fn(usize) -> f32) -> FlexTensor {
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn formula<const D: usize>(shape: [usize; D], seed: usize) -> FlexTensor {
    tensor(shape, |i| ((i * 7 + seed * 13) as f32 * 0.1).sin() + 0.3 * seed as f32)
}

/// Few distinct values, so that most windows have several maxima.
fn tied<const D: usize>(shape: [usize; D]) -> FlexTensor {
    tensor(shape, |i| ((i * 7) % 11 / 2) as f32 - 3.0)
}

fn values(tensor: &FlexTensor) -> Vec<f32> {
    tensor.clone().into_data().to_vec().unwrap()
}

fn assert_close(ours: &FlexTensor, other: &FlexTensor, tolerance: f32, what: &str) {
    assert_eq!(ours.shape(), other.shape(), "{what}");
    for (index, (a, b)) in values(ours).iter().zip(values(other)).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1.0),
            "{what}: element {index} is {a}, not {b}"
        );
    }
}

fn window(size: usize, stride: usize, padding: usize) -> Window {
    Window {
        size,
        geometry: ConvGeometry { stride, padding },
    }
}

/// Every valid combination of a grid of shapes and windows.
fn grid() -> Vec<([usize; 4], Window)> {
    let mut cases = Vec::new();
    for shape in [
        [1, 1, 1, 1],
        [1, 3, 7, 7],
        [2, 17, 5, 9],
        [3, 1, 8, 2],
        [2, 3, 16, 33],
        [1, 2, 40, 70],
    ] {
        for size in [1, 2, 3, 7] {
            for (stride, padding) in (1..=3).flat_map(|stride| (0..=3).map(move |padding| (stride, padding))) {
                if 2 * padding <= size && size <= 2 * padding + shape[2].min(shape[3]) {
                    cases.push((shape, window(size, stride, padding)));
                }
            }
        }
    }
    cases
}

#[test]
fn max_pooling_is_burns_on_an_ugly_grid() {
    let cases = grid();
    assert!(cases.len() > 80, "{}", cases.len());
    for (shape, window) in cases {
        let nothing = tensor(shape, |_| f32::NEG_INFINITY);
        for x in [formula(shape, 1), tied(shape), nothing] {
            let what = format!("{shape:?}, {window:?}");
            let (ours, other) = (
                Flex::max_pool2d_forward(x.clone(), window),
                pool_reference::max_forward::<Flex>(x.clone(), window),
            );
            assert!(
                values(&ours.y) == values(&other.y) && ours.y.shape() == other.y.shape(),
                "{what}"
            );
            let dy = formula::<4>(ours.y.shape().dims(), 2);
            let ours = Flex::max_pool2d_backward(dy.clone(), ours.places, window, x.shape());
            let other = pool_reference::max_backward::<Flex>(dy, other.places, window, x.shape());
            // The same sums in the same order.
            assert!(
                values(&ours) == values(&other) && ours.shape() == other.shape(),
                "{what}: gradient"
            );
        }
    }
}

#[test]
fn mean_pooling_is_burns_on_an_ugly_grid() {
    for shape in [
        [1, 1, 1, 1],
        [1, 3, 7, 7],
        [2, 17, 4, 4],
        [3, 1, 8, 2],
        [2, 3, 16, 33],
        [1, 2, 100, 70],
        [2, 513, 1, 1],
    ] {
        let x = formula(shape, 1);
        let (ours, other) = (
            Flex::mean_pool2d_forward(x.clone()),
            pool_reference::mean_forward::<Flex>(x.clone()),
        );
        assert_close(&ours, &other, 1e-5, &format!("{shape:?}"));
        let dy = formula([shape[0], shape[1]], 2);
        let ours = Flex::mean_pool2d_backward(dy.clone(), x.shape());
        let other = pool_reference::mean_backward::<Flex>(dy, x.shape());
        assert_close(&ours, &other, 1e-6, &format!("{shape:?}: gradient"));
    }
}

/// ```python
/// import torch
/// def f(n, seed): return torch.sin((torch.arange(n) * 7 + seed * 13).float() * 0.1) + 0.3 * seed
/// x = ((torch.arange(2*2*5*6) * 7) % 11).float().reshape(2, 2, 5, 6).requires_grad_()
/// y = torch.nn.functional.max_pool2d(x, 3, 2, 1); y.backward(f(y.numel(), 2).reshape(y.shape))
/// print(y.flatten()[:18]); print(x.grad.flatten()[:30])
/// ```
#[test]
fn agrees_with_torch() {
    let x = tensor([2, 2, 5, 6], |i| ((i * 7) % 11) as f32);
    let window = window(3, 2, 1);
    let pooled = Flex::max_pool2d_forward(x.clone(), window);
    let y = [
        9., 10., 10., 9., 10., 9., 10., 10., 9., 10., 9., 9., 10., 9., 10., 6., 9., 10.,
    ];
    assert_eq!(values(&pooled.y)[..18], y);
    let dx = Flex::max_pool2d_backward(formula([2, 2, 3, 3], 2), pooled.places, window, x.shape());
    let mut expected = [0.0f32; 30];
    for (index, value) in [
        (3, 0.2854519),
        (6, 0.715578),
        (14, -0.1727644),
        (17, 0.4178374),
        (25, 2.6321135),
        (28, 1.5407307),
    ] {
        expected[index] = value;
    }
    for (index, (ours, expected)) in values(&dx).iter().zip(expected).enumerate() {
        assert!(
            (ours - expected).abs() < 1e-6,
            "element {index} is {ours}, not {expected}"
        );
    }
}

#[test]
fn not_a_number_is_not_hidden() {
    for index in 0..16 {
        let x = tensor([1, 1, 4, 4], |i| if i == index { f32::NAN } else { i as f32 });
        let y = values(&Flex::max_pool2d_forward(x, window(3, 2, 1)).y);
        let is_seen_by = |output: usize| {
            let near = |pixel: usize, output: usize| pixel + 1 >= 2 * output && pixel <= 2 * output + 1;
            near(index / 4, output / 2) && near(index % 4, output % 2)
        };
        for (output, y) in y.into_iter().enumerate() {
            assert_eq!(y.is_nan(), is_seen_by(output), "pixel {index}, output {output}: {y}");
        }
    }
}

/// Both nodes in one graph, against Burn's; an untracked input creates no node.
#[test]
fn the_nodes_give_burns_gradients() {
    let gradient = |ours: bool| {
        let x = Tensor::<B, 4>::from_data(tied([2, 3, 9, 8]).into_data(), &FlexDevice).require_grad();
        // The square makes the gradient depend on the input.
        let hidden = x.clone() * x.clone();
        let y = match ours {
            true => mean_pool2d(max_pool2d(hidden, window(3, 2, 1))),
            false => {
                let y = burn::tensor::module::max_pool2d(hidden, [3, 3], [2, 2], [1, 1], [1, 1], false);
                y.reshape([2, 3, 20]).mean_dim(2).reshape([2, 3])
            }
        };
        let grads = (y.clone() * y).sum().backward();
        x.grad(&grads).unwrap().into_primitive().tensor()
    };
    assert_close(&gradient(true), &gradient(false), 1e-5, "gradient");
    let x = Tensor::<B, 4>::from_data(tied([2, 3, 9, 8]).into_data(), &FlexDevice);
    assert!(!mean_pool2d(max_pool2d(x, window(3, 2, 1))).is_require_grad());
}

#[test]
fn views_other_types_and_large_windows_are_taken() {
    let x = Tensor::<Flex, 4>::from_data(formula([2, 3, 20, 24], 1).into_data(), &FlexDevice);
    let turned = x.clone().swap_dims(2, 3);
    let same = max_pool2d(turned.clone(), window(3, 2, 1)).swap_dims(2, 3);
    let data = |x: Tensor<Flex, 4>| x.into_data().convert::<f32>().to_vec::<f32>().unwrap();
    assert_eq!(data(max_pool2d(x.clone(), window(3, 2, 1))), data(same));
    let [y, half] = [x.clone(), x.clone().cast(FloatDType::F16)].map(|x| data(max_pool2d(x, window(3, 2, 1))));
    assert!(y.iter().zip(half).all(|(a, b)| (a - b).abs() < 1e-3));
    // The positions of a 16 × 16 window do not fit in a byte of which one value is reserved.
    let gradient = |size| {
        let x = Tensor::<B, 4>::from_inner(x.clone()).require_grad();
        let grads = max_pool2d(x.clone(), window(size, 1, 0)).sum().backward();
        data(x.grad(&grads).unwrap()).iter().sum::<f32>()
    };
    assert_eq!((gradient(15), gradient(16)), ((6 * 6 * 10) as f32, (6 * 5 * 9) as f32));
}

#[test]
fn bits_do_not_depend_on_threads_or_luck() {
    let (x, window) = (formula([5, 17, 33, 41], 1), window(3, 2, 1));
    let bits = || {
        let pooled = Flex::max_pool2d_forward(x.clone(), window);
        let mean = Flex::mean_pool2d_forward(x.clone());
        let dy = formula::<4>(pooled.y.shape().dims(), 2);
        let dx = Flex::max_pool2d_backward(dy, pooled.places, window, x.shape());
        let spread = Flex::mean_pool2d_backward(mean.clone(), x.shape());
        [pooled.y, mean, dx, spread].map(|tensor| values(&tensor).into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let first = bits();
    for threads in [1, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!((0..5).all(|_| pool.install(bits) == first), "{threads} threads differ");
    }
}

#[test]
#[should_panic(expected = "a padding of 2 is more than half a window of 3 pixels")]
fn a_window_of_padding_alone_is_refused() {
    max_pool2d(
        Tensor::<Flex, 4>::ones(Shape::new([1, 1, 5, 5]), &FlexDevice),
        window(3, 2, 2),
    );
}

#[test]
#[should_panic(expected = "a kernel of 3 does not fit 2 pixels")]
fn a_window_larger_than_the_image_is_refused() {
    max_pool2d(Tensor::<Flex, 4>::ones([1, 1, 2, 5], &FlexDevice), window(3, 2, 0));
}
