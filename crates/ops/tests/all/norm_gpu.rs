//! Batch norm's GPU kernels on WGPU against the CPU's, which `norm_ops` compares with torch: below the fusion layer, on maps in either
//! memory order.

use barlow_ops::{Epilogue, NormOps, batch_norm_eval, batch_norm_train};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_wgpu::WgpuDevice;

use crate::gpu_device::{Fused, device};

const EPSILON: f64 = 1e-5;

/// Memory order of the maps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    /// As their shape, [N, C, H, W].
    ChannelsSecond,
    /// As a convolution leaves them.
    ChannelsLast,
}

/// A value that differs from element to element, around `centre`.
fn noise<B: Backend>(shape: [usize; 4], seed: usize, centre: f32, order: Order, device: &B::Device) -> Tensor<B, 4> {
    let value = |i: usize| centre + ((i * 7919 + seed * 104_729) as f32 * 0.618).sin() * 1.5;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    let x = Tensor::from_data(TensorData::new(values, shape), device);
    match order {
        Order::ChannelsSecond => x,
        Order::ChannelsLast => {
            let data = x.permute([0, 2, 3, 1]).into_data();
            Tensor::<B, 4>::from_data(data, device).permute([0, 3, 1, 2])
        }
    }
}

fn vector<B: Backend>(channels: usize, seed: usize, device: &B::Device) -> Tensor<B, 1> {
    let values: Vec<f32> = (0..channels).map(|i| ((i + seed) as f32 * 1.7).sin() + 0.2).collect();
    Tensor::from_data(TensorData::new(values, [channels]), device)
}

fn read<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    x.into_data().to_vec().unwrap()
}

const NAMES: [&str; 8] = [
    "y",
    "mean",
    "variance",
    "gradient of x",
    "gradient of weight",
    "gradient of bias",
    "gradient of the residual",
    "y in evaluation",
];

/// Everything that the operation computes, in the order of `NAMES`.
fn results<B: AutodiffBackend + NormOps>(
    shape: [usize; 4],
    centre: f32,
    epilogue: Epilogue<()>,
    order: Order,
    device: &B::Device,
) -> Vec<Vec<f32>> {
    let channels = shape[1];
    let x = noise::<B>(shape, 1, centre, order, device).require_grad();
    let residual = noise::<B>(shape, 2, 0.0, order, device).require_grad();
    let (weight, bias) = (vector(channels, 3, device), vector(channels, 5, device));
    let (weight, bias) = (weight.require_grad(), bias.require_grad());
    let with = || epilogue.map(|()| residual.clone());
    let parts = || (Some(weight.clone()), Some(bias.clone()));
    let (w, b) = parts();
    let (y, mean, variance) = batch_norm_train(x.clone(), w, b, EPSILON, with());
    let (w, b) = parts();
    let given = [mean.clone() + 0.1, variance.clone() * 1.1];
    let evaluated = batch_norm_eval(x.clone(), w, b, given, EPSILON, with());
    let weights = noise::<B>(shape, 4, 0.3, order, device);
    let gradients = (y.clone() * weights).sum().backward();
    let of_residual = residual.grad(&gradients).map(read).unwrap_or_default();
    vec![
        read(y),
        read(mean),
        read(variance),
        read(x.grad(&gradients).unwrap()),
        read(weight.grad(&gradients).unwrap()),
        read(bias.grad(&gradients).unwrap()),
        of_residual,
        read(evaluated),
    ]
}

fn compare<B: AutodiffBackend<Device = WgpuDevice> + NormOps>(device: &WgpuDevice) {
    for (shape, centre) in [
        // Channels that are no multiple of a vector.
        ([3, 6, 4, 4], 0.5),
        // Several chunks of rows, and a mean that is large against the deviation.
        ([9, 16, 23, 24], 100.0),
    ] {
        for epilogue in [Epilogue::Nothing, Epilogue::Relu, Epilogue::AddRelu(())] {
            let order = Order::ChannelsSecond;
            let expected = results::<Autodiff<Flex>>(shape, centre, epilogue, order, &Default::default());
            for order in [Order::ChannelsSecond, Order::ChannelsLast] {
                let found = results::<B>(shape, centre, epilogue, order, device);
                let again = results::<B>(shape, centre, epilogue, order, device);
                for (name, ((found, again), expected)) in NAMES.iter().zip(found.iter().zip(&again).zip(&expected)) {
                    let what = format!("{name}, {shape:?} around {centre}, {epilogue:?}, {order:?}");
                    assert!(found == again, "{what}: differs from run to run");
                    assert_eq!(found.len(), expected.len(), "{what}");
                    let scale = expected.iter().fold(1e-2f32, |scale, value| scale.max(value.abs()));
                    // A value of x has a rounding error of 6e-8 of its centre, which is divided by the deviation.
                    let bound = scale * (3e-5 + 2e-7 * centre.abs());
                    let wrong = found
                        .iter()
                        .zip(expected)
                        .filter(|(a, b)| (*a - *b).abs() > bound)
                        .count();
                    // A value next to 0 may pass the ReLU on one device and not on the other.
                    let most = if epilogue == Epilogue::Nothing {
                        0
                    } else {
                        found.len() / 5000
                    };
                    assert!(wrong <= most, "{what}: {wrong} of {} values differ", found.len());
                }
            }
        }
    }
}

#[test]
fn kernels_compute_what_the_cpu_does() {
    let Some(device) = device() else { return };
    compare::<Autodiff<Fused>>(&device);
}
