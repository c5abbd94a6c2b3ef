//! Tests of layer norm, GELU, softmax and attention: the CPU's kernels against the definitions in tensor ops and against torch, with
//! gradients, and determinism.

use barlow_ops::{TransformerOps, attention, gelu, layer_norm, softmax, transformer_reference as reference};
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_autodiff::Autodiff;
use burn_flex::{Flex, FlexDevice, FlexTensor};

type B = Autodiff<Flex>;

fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.1).sin()).collect()
}

fn tensor<const D: usize>(shape: [usize; D], seed: usize) -> Tensor<B, D> {
    let values = wave(shape.iter().product(), seed);
    Tensor::<B, D>::from_data(TensorData::new(values, shape), &FlexDevice).require_grad()
}

fn values<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f32> {
    tensor.into_data().to_vec().unwrap()
}

fn close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3f32, |most, value| most.max(value.abs()));
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= tolerance * scale,
            "{what}: {a} and {b} (scale {scale})"
        );
    }
}

fn primitive<const D: usize>(tensor: &Tensor<B, D>) -> FlexTensor {
    tensor.clone().inner().into_primitive().tensor()
}

fn wrapped<const D: usize>(tensor: FlexTensor) -> Vec<f32> {
    values(Tensor::<Flex, D>::from_primitive(TensorPrimitive::Float(tensor)))
}

/// Rows and widths around the sizes at which the work is cut.
const SHAPES: [[usize; 2]; 6] = [[1, 1], [3, 5], [64, 16], [65, 33], [200, 48], [1, 1000]];

#[test]
fn kernels_and_gradients_are_those_of_the_tensor_ops() {
    for shape in SHAPES {
        let [_, width] = shape;
        let (x, dy) = (tensor(shape, 1), tensor(shape, 4));
        let (weight, bias) = (tensor([width], 2), tensor([width], 3));
        let (x_p, dy_p) = (primitive(&x), primitive(&dy));
        let gradient = |y: Tensor<B, 2>| (y * dy.clone().detach()).sum().backward();
        let of = |x: &Tensor<B, 2>, y: Tensor<B, 2>| values(x.grad(&gradient(y)).unwrap());

        let y = layer_norm(x.clone(), weight.clone(), bias.clone(), 1e-6);
        let expected = reference::layer_norm_forward::<Flex>(x_p.clone(), primitive(&weight), primitive(&bias), 1e-6);
        close(
            "layer norm",
            &values(y.clone().inner()),
            &wrapped::<2>(expected.y),
            2e-6,
        );
        // A row of one value has no variance: its gradients are rounding error times 1000.
        if width > 1 {
            let saved = barlow_ops::LayerNormSaved::<Flex> {
                x: x_p.clone(),
                weight: primitive(&weight),
                mean: expected.mean,
                inverse_std: expected.inverse_std,
            };
            let expected = reference::layer_norm_backward::<Flex>(saved, dy_p.clone());
            let grads = gradient(y);
            close("dx", &values(x.grad(&grads).unwrap()), &wrapped::<2>(expected.x), 1e-5);
            close(
                "dw",
                &values(weight.grad(&grads).unwrap()),
                &wrapped::<1>(expected.weight),
                1e-5,
            );
            close(
                "db",
                &values(bias.grad(&grads).unwrap()),
                &wrapped::<1>(expected.bias),
                1e-5,
            );
        }

        let expected = reference::gelu_forward::<Flex>(x_p.clone());
        close("gelu", &values(gelu(x.clone()).inner()), &wrapped::<2>(expected), 1e-6);
        let expected = reference::gelu_backward::<Flex>(x_p.clone(), dy_p.clone());
        close(
            "gelu's gradient",
            &of(&x, gelu(x.clone())),
            &wrapped::<2>(expected),
            2e-6,
        );

        let y = reference::softmax_forward::<Flex>(x_p);
        close(
            "softmax",
            &values(softmax(x.clone()).inner()),
            &wrapped::<2>(y.clone()),
            2e-6,
        );
        let expected = reference::softmax_backward::<Flex>(y, dy_p);
        close(
            "softmax's gradient",
            &of(&x, softmax(x.clone())),
            &wrapped::<2>(expected),
            1e-5,
        );
    }
}

/// ```python
/// import math, torch
/// wave = lambda shape, seed: torch.sin((torch.arange(math.prod(shape), dtype=torch.float64) * 7 + seed * 13) * 0.1).reshape(shape).requires_grad_()
/// q, k, v, dy = [wave((2, 2, 3, 4), seed) for seed in (1, 2, 3, 4)]
/// y = torch.nn.functional.scaled_dot_product_attention(q, k, v); (y * dy).sum().backward()
/// print(y.flatten()[:4], q.grad.flatten()[:4], k.grad.flatten()[:4], v.grad.flatten()[:4])
/// x, w, b, dy = wave((3, 5), 1), wave((5,), 2), wave((5,), 3), wave((3, 5), 4)
/// y = torch.nn.functional.layer_norm(x, (5,), w, b, 1e-6); (y * dy).sum().backward()
/// print(y.flatten()[:4], x.grad.flatten()[:4], w.grad, b.grad)
/// x = wave((3, 5), 1); y = torch.nn.functional.gelu(3 * x); (y * dy).sum().backward()
/// print(y.flatten()[:4], x.grad.flatten()[:4])
/// ```
#[test]
fn values_are_torch_s() {
    let [q, k, v, dy] = [1, 2, 3, 4].map(|seed| tensor([2, 2, 3, 4], seed));
    let y = attention(q.clone(), k.clone(), v.clone());
    let grads = (y.clone() * dy.detach()).sum().backward();
    for (what, found, expected) in [
        ("y", y.inner(), ATTENTION[0]),
        ("dq", q.grad(&grads).unwrap(), ATTENTION[1]),
        ("dk", k.grad(&grads).unwrap(), ATTENTION[2]),
        ("dv", v.grad(&grads).unwrap(), ATTENTION[3]),
    ] {
        close(what, &values(found)[..4], &expected, 1e-5);
    }
    let (x, w, b, dy) = (tensor([3, 5], 1), tensor([5], 2), tensor([5], 3), tensor([3, 5], 4));
    let y = layer_norm(x.clone(), w.clone(), b.clone(), 1e-6);
    let grads = (y.clone() * dy.clone().detach()).sum().backward();
    close("y", &values(y.inner())[..4], &LAYER_NORM[0], 1e-5);
    close("dx", &values(x.grad(&grads).unwrap())[..4], &LAYER_NORM[1], 1e-5);
    close("dw", &values(w.grad(&grads).unwrap())[..4], &LAYER_NORM[2], 1e-5);
    close("db", &values(b.grad(&grads).unwrap())[..4], &LAYER_NORM[3], 1e-5);
    let y = gelu(x.clone().mul_scalar(3.0));
    let grads = (y.clone() * dy.detach()).sum().backward();
    close("gelu", &values(y.inner())[..4], &GELU[0], 1e-5);
    close("gelu's gradient", &values(x.grad(&grads).unwrap())[..4], &GELU[1], 1e-5);
}

const ATTENTION: [[f32; 4]; 4] = [
    [-0.1799267, -0.5294871, -0.6300215, -0.434247],
    [-0.08713775, -0.08499655, -0.04288016, 0.01940345],
    [0.3483285, 0.4385382, 0.3224966, 0.05477977],
    [-0.06778668, -0.02501506, 0.02952154, 0.0701737],
];
const LAYER_NORM: [[f32; 4]; 4] = [
    [-0.1501781, -1.145768, -1.032352, 0.4476632],
    [-0.4079662, 0.369039, 0.2089743, -0.3037327],
    [-2.292707, -0.1249218, -0.02551683, -2.363022],
    [-0.5787147, -0.0216268, 0.5456325, 0.8562724],
];
const GELU: [[f32; 4]; 2] = [
    [2.885118, 2.719198, 1.154058, -0.1699242],
    [-2.692122, -1.147616, 1.051403, -0.01610988],
];

#[test]
fn twenty_repetitions_and_other_numbers_of_threads_give_the_same_bytes() {
    let run = || {
        let (x, weight, bias) = (tensor([1000, 96], 1), tensor([96], 2), tensor([96], 3));
        let y = softmax(gelu(layer_norm(x.clone(), weight.clone(), bias.clone(), 1e-6)));
        let grads = (y.clone() * y).sum().backward();
        [
            values(x.grad(&grads).unwrap()),
            values(weight.grad(&grads).unwrap()),
            values(bias.grad(&grads).unwrap()),
        ]
    };
    let first = run();
    for threads in [1, 2, 3, 5].into_iter().cycle().take(20) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(run) == first, "{threads} threads");
    }
}

#[test]
fn shared_operands_are_not_overwritten() {
    let x = primitive(&tensor([70, 20], 1));
    let before = wrapped::<2>(x.clone());
    let y = Flex::softmax_forward(x.clone());
    assert_eq!(wrapped::<2>(x), before);
    assert_ne!(wrapped::<2>(y), before);
}

#[test]
#[should_panic(expected = "layer norm: x of shape [3, 5]")]
fn another_width_is_refused() {
    layer_norm(tensor([3, 5], 1), tensor([4], 2), tensor([5], 3), 1e-6);
}
