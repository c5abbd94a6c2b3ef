//! Tests of the CPU backend's convolution: against Burn's own ops on a grid of irregular shapes, determinism, and gradients.

use barlow_ops::{ConvGeometry, ConvOps, conv2d, reference};
use burn::backend::Autodiff;
use burn::tensor::ops::{ConvOptions, FloatTensorOps};
use burn::tensor::{DType, Shape, Tensor, TensorData, TensorMetadata, TensorPrimitive, Tolerance};
use burn_flex::{Flex, FlexTensor};

/// Values in [-1, 1] that depend on the index and a seed.
fn formula(shape: [usize; 4], seed: usize) -> FlexTensor {
    let shape = Shape::new(shape);
    let value = |i: usize| ((i * 7 + seed * 13) as f32 * 0.1).sin();
    FlexTensor::from_data(TensorData::new(
        (0..shape.num_elements()).map(value).collect::<Vec<_>>(),
        shape,
    ))
}

fn values(tensor: FlexTensor) -> Vec<f32> {
    tensor.into_data().to_vec().unwrap()
}

fn absolute(tensor: &FlexTensor) -> FlexTensor {
    let data = values(tensor.clone()).into_iter().map(f32::abs).collect::<Vec<_>>();
    FlexTensor::from_data(TensorData::new(data, tensor.shape()))
}

/// Asserts that each element is within 1e-5 of the sum of its terms' absolute values. Rounding errors are relative to this sum: a
/// sum that cancels has no relative accuracy of its own.
fn assert_close(ours: FlexTensor, burn: FlexTensor, magnitude: FlexTensor, what: &str) {
    assert_eq!(ours.shape(), burn.shape(), "{what}: shapes");
    let (ours, burn, magnitude) = (values(ours), values(burn), values(magnitude));
    for (index, (a, b)) in ours.iter().zip(&burn).enumerate() {
        let bound = 1e-5 * magnitude[index];
        assert!(
            (a - b).abs() <= bound,
            "{what}: element {index} is {a}, Burn's {b}, further apart than {bound}"
        );
    }
}

fn compare(x: [usize; 4], channels_out: usize, kernel: usize, geometry: ConvGeometry) {
    let what = format!("x {x:?}, {channels_out} out, kernel {kernel}, {geometry:?}");
    let out = [
        x[0],
        channels_out,
        geometry.output_size(x[2], kernel),
        geometry.output_size(x[3], kernel),
    ];
    let (w, g) = (formula([channels_out, x[1], kernel, kernel], 2), formula(out, 3));
    let x = formula(x, 1);

    let burn = |x, w| reference::forward::<Flex>(x, w, geometry);
    let ours = Flex::conv2d_forward(x.clone(), w.clone(), geometry);
    assert_close(
        ours,
        burn(x.clone(), w.clone()),
        burn(absolute(&x), absolute(&w)),
        &format!("forward {what}"),
    );

    let burn = |w, g| reference::input_gradient::<Flex>(w, g, geometry, x.shape());
    let ours = Flex::conv2d_input_gradient(w.clone(), g.clone(), geometry, x.shape());
    assert_close(
        ours,
        burn(w.clone(), g.clone()),
        burn(absolute(&w), absolute(&g)),
        &format!("input gradient {what}"),
    );

    let gradient = Flex::conv2d_input_gradient(w.clone(), g.clone(), geometry, x.shape());
    let expected = values(Flex::float_add(gradient, x.clone()));
    let onto = |sum| values(Flex::conv2d_input_gradient_onto(w.clone(), g.clone(), geometry, sum));
    let alone = FlexTensor::from_data(x.clone().into_data());
    assert!(onto(alone) == expected, "onto an unshared sum, {what}");
    assert!(onto(x.clone()) == expected, "onto a shared sum, {what}");

    let burn = |x, g| reference::weight_gradient::<Flex>(x, g, geometry, w.shape());
    let ours = Flex::conv2d_weight_gradient(x.clone(), g.clone(), geometry, w.shape());
    assert_close(
        ours,
        burn(x.clone(), g.clone()),
        burn(absolute(&x), absolute(&g)),
        &format!("weight gradient {what}"),
    );
}

#[test]
fn agrees_with_burn_on_an_ugly_grid() {
    for kernel in [1, 3, 7] {
        for (stride, padding) in [(1, 0), (1, 1), (1, 3), (2, 0), (2, 1), (2, 3)] {
            for [height, width] in [[1, 2], [3, 3], [5, 7], [13, 11], [4, 17]] {
                if height.min(width) + 2 * padding < kernel {
                    continue;
                }
                for [images, channels_in, channels_out] in [[1, 1, 1], [3, 17, 2], [3, 2, 17], [1, 5, 13]] {
                    compare(
                        [images, channels_in, height, width],
                        channels_out,
                        kernel,
                        ConvGeometry { stride, padding },
                    );
                }
            }
        }
    }
}

/// Sizes at which the work is split: several row tiles, several blocks of channels, several chunks and groups of images; the
/// last one of each is partial.
#[test]
fn agrees_with_burn_where_the_work_is_cut() {
    let three = |stride| ConvGeometry { stride, padding: 1 };
    compare([2, 3, 67, 61], 16, 3, three(1));
    compare([2, 3, 67, 61], 16, 3, three(2));
    compare([1, 3, 65, 65], 16, 7, ConvGeometry { stride: 2, padding: 3 });
    compare([37, 67, 4, 4], 33, 3, three(1));
    compare([37, 67, 8, 8], 33, 3, three(2));
    compare([67, 2, 9, 9], 3, 3, three(1));
    compare([5, 131, 17, 17], 19, 3, three(1));
    compare([19, 600, 3, 3], 17, 1, ConvGeometry { stride: 1, padding: 0 });
    compare([19, 40, 7, 7], 17, 1, ConvGeometry { stride: 2, padding: 0 });
    compare([9, 72, 14, 14], 40, 1, ConvGeometry { stride: 1, padding: 0 });
    compare([3, 24, 31, 33], 70, 1, ConvGeometry { stride: 2, padding: 0 });
}

/// Views of larger buffers and transposed tensors are read in their logical order.
#[test]
fn reads_strided_inputs() {
    let geometry = ConvGeometry { stride: 1, padding: 1 };
    let x = formula([3, 2, 7, 5], 1).transpose(2, 3).transpose(0, 1);
    let weight = formula([3, 4, 3, 3], 2).transpose(0, 1);
    assert!(!x.is_contiguous() && !weight.is_contiguous());
    let ours = Flex::conv2d_forward(x.clone(), weight.clone(), geometry);
    let packed = Flex::conv2d_forward(x.to_contiguous(), weight.to_contiguous(), geometry);
    assert_eq!(values(ours), values(packed));
}

/// Twenty repetitions give the same bytes, and so do other numbers of threads: no sum depends on scheduling.
#[test]
fn bits_do_not_depend_on_threads_or_luck() {
    for (x, channels_out, kernel, stride) in [
        ([24, 48, 16, 16], 32, 3, 1),
        ([24, 16, 16, 16], 32, 3, 2),
        ([40, 24, 4, 4], 48, 3, 1),
        ([16, 24, 8, 8], 48, 1, 2),
        ([2, 24, 40, 40], 48, 1, 1),
        ([3, 40, 7, 7], 72, 1, 1),
    ] {
        let geometry = ConvGeometry {
            stride,
            padding: kernel / 2,
        };
        let weight = formula([channels_out, x[1], kernel, kernel], 2);
        let out = [
            x[0],
            channels_out,
            geometry.output_size(x[2], kernel),
            geometry.output_size(x[3], kernel),
        ];
        let (x, gradient) = (formula(x, 1), formula(out, 3));
        let all = || {
            [
                values(Flex::conv2d_forward(x.clone(), weight.clone(), geometry)),
                values(Flex::conv2d_input_gradient(
                    weight.clone(),
                    gradient.clone(),
                    geometry,
                    x.shape(),
                )),
                values(Flex::conv2d_weight_gradient(
                    x.clone(),
                    gradient.clone(),
                    geometry,
                    weight.shape(),
                )),
            ]
            .map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let first = all();
        for repetition in 0..20 {
            assert!(
                all() == first,
                "{:?}, stride {stride}: repetition {repetition} differs",
                x.shape()
            );
        }
        for threads in [1, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(
                pool.install(all) == first,
                "{:?}, stride {stride}: {threads} threads differ",
                x.shape()
            );
        }
    }
}

/// The gradient of an input that several operations read is the sum of their gradients, in either order.
#[test]
fn gradients_of_a_shared_input_add_up() {
    type Tracked = Autodiff<Flex>;
    let geometry = ConvGeometry { stride: 1, padding: 1 };
    let tensor = |shape, seed| Tensor::<Flex, 4>::from_primitive(TensorPrimitive::Float(formula(shape, seed)));
    let (x, a, b) = (
        tensor([2, 3, 13, 12], 1),
        tensor([3, 3, 3, 3], 2),
        tensor([3, 3, 1, 1], 3),
    );
    let point = ConvGeometry { stride: 1, padding: 0 };
    let gradient = |forward: &dyn Fn(Tensor<Tracked, 4>) -> Tensor<Tracked, 4>| {
        let x = Tensor::<Tracked, 4>::from_inner(x.clone()).require_grad();
        // As the output of another node, and as a leaf that retains its gradient.
        [x.clone() * 2.0, x.clone()].map(|input| {
            let gradients = forward(input).powi_scalar(2).sum().backward();
            x.grad(&gradients).unwrap().into_data()
        })
    };
    let weights = || [&a, &b].map(|w| Tensor::<Tracked, 4>::from_inner(w.clone()));
    let ours = gradient(&|x| {
        let [a, b] = weights();
        conv2d(x.clone(), a, geometry) + x.clone() + conv2d(x, b, point)
    });
    let burn = gradient(&|x| {
        let [a, b] = weights();
        let options = |padding| ConvOptions::new([1, 1], [padding; 2], [1, 1], 1);
        burn::tensor::module::conv2d(x.clone(), a, None, options(1))
            + x.clone()
            + burn::tensor::module::conv2d(x, b, None, options(0))
    });
    for (ours, burn) in ours.iter().zip(&burn) {
        ours.assert_approx_eq::<f32>(burn, Tolerance::rel_abs(1e-4, 1e-4));
    }
}

/// f64 uses Burn's ops and is not rounded to f32.
#[test]
fn other_types_fall_back() {
    let geometry = ConvGeometry { stride: 1, padding: 1 };
    let double = |shape: [usize; 4]| {
        let shape = Shape::new(shape);
        let data: Vec<f64> = (0..shape.num_elements()).map(|i| (i as f64 * 0.3).sin()).collect();
        FlexTensor::from_data(TensorData::new(data, shape))
    };
    let (x, weight) = (double([2, 3, 5, 5]), double([4, 3, 3, 3]));
    let out = Flex::conv2d_forward(x.clone(), weight.clone(), geometry);
    let gradient = Flex::conv2d_weight_gradient(x.clone(), out.clone(), geometry, weight.shape());
    let input = Flex::conv2d_input_gradient(weight.clone(), out.clone(), geometry, x.shape());
    assert_eq!([out.dtype(), gradient.dtype(), input.dtype()], [DType::F64; 3]);
    assert_eq!(
        [out.shape(), gradient.shape(), input.shape()],
        [Shape::new([2, 4, 5, 5]), weight.shape(), x.shape()]
    );
}

#[test]
#[should_panic(expected = "[2, 4, 3, 3]")]
fn a_gradient_of_another_shape_is_refused() {
    let geometry = ConvGeometry { stride: 1, padding: 1 };
    let (x, gradient) = (formula([2, 3, 5, 5], 1), formula([2, 4, 3, 3], 2));
    Flex::conv2d_weight_gradient(x, gradient, geometry, Shape::new([4, 3, 3, 3]));
}
