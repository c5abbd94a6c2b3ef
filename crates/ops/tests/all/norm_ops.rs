//! Tests of the CPU backend's fused batch norm against tensor ops, torch's results, finite differences, and itself.

use barlow_ops::{Affine, Epilogue, NormOps, NormSaved, Statistics, batch_norm_eval, batch_norm_train, norm_reference};
use burn::tensor::{DType, Shape, Tensor, TensorData, TensorMetadata};
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

/// The operations after the norm; the residual is only a placeholder.
const EPILOGUES: [Epilogue<()>; 3] = [Epilogue::Nothing, Epilogue::Relu, Epilogue::AddRelu(())];
const NAMES: [&str; 7] = [
    "y",
    "mean",
    "variance",
    "gradient of x",
    "gradient of weight",
    "gradient of bias",
    "gradient of the residual",
];

/// Values around 0, so that a ReLU zeroes about half of its input.
fn residual(shape: [usize; 3]) -> FlexTensor {
    let values: Vec<f32> = values(&formula(shape, 5)).iter().map(|value| value - 2.5).collect();
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// y, mean, variance, the three gradients, and the residual's if requested; with the backend's operation or with tensor ops.
fn run(
    shape: [usize; 3],
    weight: FlexTensor,
    epilogue: Epilogue<()>,
    wants_residual: bool,
    fused: bool,
) -> Vec<FlexTensor> {
    let (x, dy) = (formula(shape, 1), formula(shape, 2));
    // Around 0, also in the sum with the epilogue's residual.
    let bias = FlexTensor::from_data(TensorData::new(
        (0..shape[1]).map(|c| (c as f32 * 1.3).sin() * 0.5).collect::<Vec<_>>(),
        [shape[1]],
    ));
    let affine = Affine { weight, bias };
    let with = epilogue.map(|()| residual(shape));
    let out = match fused {
        true => Flex::batch_norm_forward(x.clone(), affine.clone(), EPSILON, with),
        false => norm_reference::forward::<Flex>(x.clone(), affine.clone(), EPSILON, with),
    };
    let saved = NormSaved {
        x,
        affine,
        statistics: out.statistics.clone(),
        epsilon: EPSILON,
        epilogue: epilogue.map(|()| out.y.clone()),
    };
    let gradients = match fused {
        true => Flex::batch_norm_backward(saved, dy, wants_residual),
        false => norm_reference::backward::<Flex>(saved, dy, wants_residual),
    };
    let all = [
        Some(out.y),
        Some(out.statistics.mean),
        Some(out.statistics.variance),
        Some(gradients.x),
        Some(gradients.weight),
        Some(gradients.bias),
        gradients.residual,
    ];
    all.into_iter().flatten().collect()
}

/// All results, with weights of either sign.
fn all(shape: [usize; 3], epilogue: Epilogue<()>, fused: bool) -> Vec<FlexTensor> {
    run(shape, signed(shape[1]), epilogue, true, fused)
}

/// Weights of either sign; the first one is exactly 0.
fn signed(channels: usize) -> FlexTensor {
    let weight = |c: usize| if c == 0 { 0.0 } else { (c as f32 * 0.9).cos() * 1.5 };
    FlexTensor::from_data(TensorData::new(
        (0..channels).map(weight).collect::<Vec<_>>(),
        [channels],
    ))
}

const GRID: [[usize; 3]; 14] = [
    [2, 1, 1],
    [3, 1, 7],
    [1, 1, 50],
    [5, 17, 1],
    [3, 257, 1],
    [300, 3, 1],
    [7, 600, 1],
    [3, 5, 4],
    [2, 130, 3],
    [4, 17, 16],
    [5, 33, 49],
    [1, 3, 300],
    [3, 2, 1021],
    [2, 3, 4099],
];

#[test]
fn agrees_with_tensor_ops_on_an_ugly_grid() {
    for (shape, epilogue) in GRID
        .into_iter()
        .flat_map(|shape| EPILOGUES.map(|epilogue| (shape, epilogue)))
    {
        let ones = FlexTensor::filled_typed(Shape::new([shape[1]]), DType::F32, 1.0f32);
        let zeros = FlexTensor::zeros(Shape::new([shape[1]]), DType::F32);
        for (weight, wants_residual) in [(signed(shape[1]), true), (ones, false), (zeros, true)] {
            let [ours, other] = [true, false].map(|fused| run(shape, weight.clone(), epilogue, wants_residual, fused));
            let count = 6 + usize::from(wants_residual && epilogue.residual().is_some());
            assert_eq!((ours.len(), other.len()), (count, count));
            for ((ours, other), name) in ours.iter().zip(&other).zip(NAMES) {
                assert_eq!(ours.shape(), other.shape());
                // With two or three values per channel the variance can be nearly 0, and 1/σ amplifies rounding errors.
                let tolerance = if shape[0] * shape[2] < 10 { 1e-3 } else { 3e-5 };
                let what = format!("{name} at {shape:?}, {epilogue:?}");
                assert_close(&values(ours), &values(other), tolerance, &what);
            }
        }
    }
}

#[test]
fn given_statistics_agree_with_tensor_ops() {
    for (shape, epilogue) in GRID
        .into_iter()
        .flat_map(|shape| EPILOGUES.map(|epilogue| (shape, epilogue)))
    {
        let vector = |seed| formula([shape[1]], seed);
        let affine = || Affine {
            weight: signed(shape[1]),
            bias: vector(4),
        };
        let statistics = || Statistics {
            mean: vector(1),
            variance: FlexTensor::from_data(TensorData::new(
                values(&vector(2)).iter().map(|value| value * value).collect::<Vec<_>>(),
                [shape[1]],
            )),
        };
        let with = || epilogue.map(|()| residual(shape));
        // In place, and with a shared x that must not change.
        let kept = formula(shape, 1);
        let ours = Flex::batch_norm_eval(formula(shape, 1), affine(), statistics(), EPSILON, with());
        let beside = Flex::batch_norm_eval(kept.clone(), affine(), statistics(), EPSILON, with());
        let other = norm_reference::eval::<Flex>(kept.clone(), affine(), statistics(), EPSILON, with());
        assert_close(
            &values(&ours),
            &values(&other),
            1e-5,
            &format!("{shape:?}, {epilogue:?}"),
        );
        assert!(values(&ours) == values(&beside) && values(&kept) == values(&formula(shape, 1)));
    }
}

/// Shared operands are not modified, and results are the same as when memory is reused.
#[test]
fn operands_that_are_kept_stay_as_they_are() {
    let shape = [5, 17, 33];
    for epilogue in EPILOGUES {
        let (x, dy, kept_residual) = (formula(shape, 1), formula(shape, 2), residual(shape));
        let affine = || Affine {
            weight: signed(17),
            bias: formula([17], 4),
        };
        let forward = |residual| Flex::batch_norm_forward(x.clone(), affine(), EPSILON, epilogue.map(|()| residual));
        let (out, in_place) = (forward(kept_residual.clone()), forward(residual(shape)));
        assert!(values(&out.y) == values(&in_place.y));
        let backward = |x, dy| {
            let saved = NormSaved {
                x,
                affine: affine(),
                statistics: out.statistics.clone(),
                epsilon: EPSILON,
                epilogue: epilogue.map(|()| out.y.clone()),
            };
            Flex::batch_norm_backward(saved, dy, true)
        };
        let (beside, over) = (
            backward(x.clone(), dy.clone()),
            backward(formula(shape, 1), formula(shape, 2)),
        );
        assert!(values(&beside.x) == values(&over.x) && values(&beside.weight) == values(&over.weight));
        assert_eq!(beside.residual.as_ref().map(values), over.residual.as_ref().map(values));
        assert!(values(&x) == values(&formula(shape, 1)) && values(&dy) == values(&formula(shape, 2)));
        assert!(values(&kept_residual) == values(&residual(shape)) && values(&out.y) == values(&in_place.y));
    }
}

/// The mask that the backward pass computes from x is bit for bit that of the forward pass's y. For values at the edge of the
/// ReLU a different rounding would give a different mask.
#[test]
fn the_mask_is_exactly_that_of_the_output() {
    let shape = [16, 17, 64];
    let (x, ones) = (
        formula(shape, 1),
        FlexTensor::filled_typed(Shape::new(shape), DType::F32, 1.0f32),
    );
    // Each channel's bias moves one of its values to 0.
    let weight = signed(17);
    let plain = norm_reference::forward::<Flex>(
        x.clone(),
        Affine {
            weight: weight.clone(),
            bias: FlexTensor::zeros(Shape::new([17]), DType::F32),
        },
        EPSILON,
        Epilogue::Nothing,
    );
    let plain = values(&plain.y);
    let bias: Vec<f32> = (0..17).map(|c| -plain[(5 * 17 + c) * 64 + 3 * c]).collect();
    let affine = Affine {
        weight,
        bias: FlexTensor::from_data(TensorData::new(bias, [17])),
    };
    let out = Flex::batch_norm_forward(x.clone(), affine.clone(), EPSILON, Epilogue::Relu);
    let saved = NormSaved {
        x,
        affine,
        statistics: out.statistics,
        epsilon: EPSILON,
        epilogue: Epilogue::Relu,
    };
    // The gradient of the bias is the number of values above 0.
    let counted = values(&Flex::batch_norm_backward(saved, ones, false).bias);
    let y = values(&out.y);
    for (c, counted) in counted.into_iter().enumerate() {
        let rows = (0..16).flat_map(|n| &y[(n * 17 + c) * 64..][..64]);
        assert_eq!(counted, rows.filter(|&&y| y > 0.0).count() as f32, "channel {c}");
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
    let [y, x, weight, bias, _] = torch_case(Epilogue::Nothing);
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

/// Same as [`agrees_with_torch`], but:
/// ```python
/// r = (f(24, 5) - 2.5).reshape(2, 3, 4).requires_grad_()
/// y = torch.relu(torch.nn.functional.batch_norm(x, None, None, w, b, True, 0.1, 1e-5) + r); y.backward(dy)
/// print(y.flatten()[8:12], x.grad.flatten()[8:12], w.grad, b.grad, r.grad.flatten()[8:12])
/// ```
#[test]
fn a_residual_and_relu_agree_with_torch() {
    let [y, x, weight, bias, residual] = torch_case(Epilogue::AddRelu(()));
    assert_close(&y[8..12], &[0.103555, 0.8219297, 1.3879213, 1.5353355], 1e-5, "y");
    let expected = [0.0991882, 0.0374172, -0.0237823, -0.0556273];
    assert_close(&x[8..12], &expected, 1e-5, "gradient of x");
    assert_close(&weight, &[0.5914626, 0.7038142, 3.0097184], 1e-5, "gradient of weight");
    assert_close(&bias, &[-0.1144714, 0.2363765, 2.170624], 1e-5, "gradient of bias");
    let expected = [1.5407307, 1.1010203, 0.4256729, -0.1676859];
    assert_close(&residual[8..12], &expected, 1e-6, "gradient of the residual");
    assert_eq!((y[5], residual[5]), (0.0, 0.0));
}

/// y and the gradients of x, weight, bias and the residual (empty without one).
fn torch_case(epilogue: Epilogue<()>) -> [Vec<f32>; 5] {
    let shape = [2, 3, 4];
    let affine = Affine {
        weight: formula([3], 3),
        bias: formula([3], 4),
    };
    let x = formula(shape, 1);
    let out = Flex::batch_norm_forward(x.clone(), affine.clone(), EPSILON, epilogue.map(|()| residual(shape)));
    let saved = NormSaved {
        x,
        affine,
        statistics: out.statistics,
        epsilon: EPSILON,
        epilogue: epilogue.map(|()| out.y.clone()),
    };
    let gradients = Flex::batch_norm_backward(saved, formula(shape, 2), true);
    [
        values(&out.y),
        values(&gradients.x),
        values(&gradients.weight),
        values(&gradients.bias),
        gradients.residual.as_ref().map(values).unwrap_or_default(),
    ]
}

/// Autodiff through the operation equals autodiff through tensor ops: with and without weight and bias, for every epilogue, with
/// a tracked or untracked residual, and in both modes.
#[test]
fn the_node_gives_the_gradients_of_tensor_ops() {
    let shape = [3, 5, 6];
    for case in 0..32 {
        let [affine, relu, add, tracked, eval] = [0, 1, 2, 3, 4].map(|bit| case >> bit & 1 == 1);
        let ours = node_gradients(shape, tracked, |x, weight, bias, residual| {
            let epilogue = match (relu, add) {
                (false, _) => Epilogue::Nothing,
                (true, false) => Epilogue::Relu,
                (true, true) => Epilogue::AddRelu(residual),
            };
            let (weight, bias) = (affine.then_some(weight), affine.then_some(bias));
            if eval {
                let statistics = [formula([5], 6), formula([5], 7)];
                let statistics = statistics.map(|values| Tensor::from_data(values.into_data(), &FlexDevice));
                return batch_norm_eval(x, weight, bias, statistics, EPSILON, epilogue);
            }
            let (y, mean, variance) = batch_norm_train(x, weight, bias, EPSILON, epilogue);
            assert!(!mean.is_require_grad() && !variance.is_require_grad());
            y
        });
        let plain = node_gradients(shape, tracked, |x, weight, bias, residual| {
            let given =
                |seed| Tensor::<B, 1>::from_data(formula([5], seed).into_data(), &FlexDevice).reshape([1, 5, 1]);
            let mean = if eval {
                given(6)
            } else {
                x.clone().mean_dim(2).mean_dim(0)
            };
            let centred = x - mean;
            let variance = match eval {
                true => given(7),
                false => (centred.clone() * centred.clone()).mean_dim(2).mean_dim(0),
            };
            let mut y = centred / (variance + EPSILON).sqrt();
            if affine {
                y = y * weight.reshape([1, 5, 1]) + bias.reshape([1, 5, 1]);
            }
            match (relu, add) {
                (false, _) => y,
                (true, false) => burn::tensor::activation::relu(y),
                (true, true) => burn::tensor::activation::relu(y + residual),
            }
        });
        for ((ours, plain), name) in ours.iter().zip(&plain).zip(["x", "weight", "bias", "residual"]) {
            let what = format!("{name}: affine {affine}, relu {relu}, add {add}, tracked {tracked}, eval {eval}");
            assert_eq!(ours.is_some(), plain.is_some(), "{what}");
            if let (Some(ours), Some(plain)) = (ours, plain) {
                assert_close(ours, plain, 1e-4, &what);
            }
        }
    }
}

/// Gradients of Σy³ with respect to x, weight, bias and residual.
fn node_gradients(
    shape: [usize; 3],
    tracked: bool,
    y: impl Fn(Tensor<B, 3>, Tensor<B, 1>, Tensor<B, 1>, Tensor<B, 3>) -> Tensor<B, 3>,
) -> [Option<Vec<f32>>; 4] {
    let tensor = |values: FlexTensor| Tensor::<B, 3>::from_data(values.into_data(), &FlexDevice);
    let vector = |seed| Tensor::<B, 1>::from_data(formula([5], seed).into_data(), &FlexDevice).require_grad();
    let (x, weight, bias) = (tensor(formula(shape, 1)).require_grad(), vector(3), vector(4));
    let residual = tensor(residual(shape));
    let residual = if tracked { residual.require_grad() } else { residual };
    let y = y(x.clone(), weight.clone(), bias.clone(), residual.clone());
    let grads = (y.clone() * y.clone() * y).sum().backward();
    [
        x.grad(&grads)
            .map(|gradient| values(&gradient.into_primitive().tensor())),
        weight
            .grad(&grads)
            .map(|gradient| values(&gradient.into_primitive().tensor())),
        bias.grad(&grads)
            .map(|gradient| values(&gradient.into_primitive().tensor())),
        residual
            .grad(&grads)
            .map(|gradient| values(&gradient.into_primitive().tensor())),
    ]
}

/// A large mean does not degrade the variance: values 1000 ± 1 have variance 1.
#[test]
fn a_large_mean_keeps_the_variance() {
    let data: Vec<f32> = (0..4096)
        .map(|i| 1000.0 + if i % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let x = FlexTensor::from_data(TensorData::new(data, [4, 1, 1024]));
    let one = FlexTensor::from_data(TensorData::new(vec![1.0f32], [1]));
    let affine = Affine {
        weight: one.clone(),
        bias: one,
    };
    let Statistics { mean, variance } = Flex::batch_norm_forward(x, affine, EPSILON, Epilogue::Nothing).statistics;
    assert_eq!((values(&mean), values(&variance)), (vec![1000.0], vec![1.0]));
}

/// Values around 1000 with a variance of about 1/2 and a slightly different mean per image: accurate to f32 precision.
#[test]
fn a_large_and_wandering_mean_keeps_the_variance() {
    for shape in [[8, 3, 100], [64, 20, 1], [64, 3, 16]] {
        let small = values(&formula(shape, 0));
        let image = |i: usize| (i / (shape[1] * shape[2])) as f32;
        let large: Vec<f32> = small
            .iter()
            .enumerate()
            .map(|(i, v)| 1000.0 + v + 0.25 * image(i))
            .collect();
        let exact = |c: usize, power: i32, centre: f64| {
            let at = |n: usize, s: usize| f64::from(large[(n * shape[1] + c) * shape[2] + s]) - centre;
            let sum: f64 = (0..shape[0])
                .flat_map(|n| (0..shape[2]).map(move |s| at(n, s).powi(power)))
                .sum();
            sum / (shape[0] * shape[2]) as f64
        };
        let affine = Affine {
            weight: formula([shape[1]], 3),
            bias: formula([shape[1]], 4),
        };
        let x = FlexTensor::from_data(TensorData::new(large.clone(), shape));
        let Statistics { mean, variance } = Flex::batch_norm_forward(x, affine, EPSILON, Epilogue::Nothing).statistics;
        for (c, (mean, variance)) in values(&mean).into_iter().zip(values(&variance)).enumerate() {
            let exact_mean = exact(c, 1, 0.0);
            let error = f64::from(variance) / exact(c, 2, exact_mean) - 1.0;
            assert!(
                (f64::from(mean) - exact_mean).abs() < 1e-4 && error.abs() < 1e-5,
                "{shape:?}: mean {mean}, not {exact_mean}; error of the variance {error}"
            );
        }
    }
}

/// NaN reaches the output, with or without a ReLU, as in torch.
#[test]
fn not_a_number_is_not_hidden() {
    let x = FlexTensor::from_data(TensorData::new(vec![1.0f32, f32::NAN, 3.0, 4.0], [2, 1, 2]));
    let one = || FlexTensor::from_data(TensorData::new(vec![1.0f32], [1]));
    for epilogue in EPILOGUES {
        let affine = Affine {
            weight: one(),
            bias: one(),
        };
        let with = epilogue.map(|()| residual([2, 1, 2]));
        let out = Flex::batch_norm_forward(x.clone(), affine, EPSILON, with);
        assert!(values(&out.y).iter().all(|y| y.is_nan()), "{epilogue:?}");
        assert!(values(&out.statistics.variance)[0].is_nan());
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_luck() {
    for (shape, epilogue) in [
        ([16, 32, 256], EPILOGUES[0]),
        ([9, 130, 16], EPILOGUES[1]),
        ([32, 700, 1], EPILOGUES[1]),
        ([16, 32, 256], EPILOGUES[2]),
    ] {
        let bits = || {
            let of = |tensor: FlexTensor| values(&tensor).into_iter().map(f32::to_bits).collect::<Vec<_>>();
            all(shape, epilogue, true).into_iter().map(of).collect::<Vec<_>>()
        };
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
    batch_norm_train(
        x,
        Some(Tensor::ones([5], &FlexDevice)),
        None,
        EPSILON,
        Epilogue::Nothing,
    );
}

#[test]
#[should_panic(expected = "x of shape [2, 3, 4], but a residual of [2, 3, 5]")]
fn another_residual_is_refused() {
    let x = Tensor::<Flex, 3>::ones([2, 3, 4], &FlexDevice);
    let residual = Tensor::ones([2, 3, 5], &FlexDevice);
    batch_norm_train(x, None, None, EPSILON, Epilogue::AddRelu(residual));
}
