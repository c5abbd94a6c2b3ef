//! Convolutions and their gradients on WGPU, which has no matrix units, against the CPU's, which `conv` compares with torch: below the
//! fusion layer.

use barlow_ops::{ConvGeometry, ConvOps, conv2d};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use burn_wgpu::WgpuDevice;

use crate::gpu_device::{Fused, device};

fn noise<B: Backend>(shape: [usize; 4], seed: usize, device: &B::Device) -> Tensor<B, 4> {
    let value = |i: usize| ((i * 7919 + seed * 104_729) as f32 * 0.618).sin();
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn read<B: Backend>(x: Tensor<B, 4>) -> Vec<f32> {
    x.into_data().to_vec().unwrap()
}

/// Images, channels in and out, height and width, kernel, stride, padding.
type Case = [usize; 8];

/// y and the gradients of x and weight; x is used twice, as by a block with a shortcut.
fn results<B: AutodiffBackend + ConvOps>(case: Case, device: &B::Device) -> [Vec<f32>; 3] {
    let [n, from, to, height, width, kernel, stride, padding] = case;
    let x = noise::<B>([n, from, height, width], 1, device).require_grad();
    let weight = noise::<B>([to, from, kernel, kernel], 2, device).require_grad();
    let geometry = ConvGeometry { stride, padding };
    let y = conv2d(x.clone(), weight.clone(), geometry) + conv2d(x.clone() * 0.5, weight.clone(), geometry);
    let weights = noise::<B>(y.dims(), 3, device);
    let gradients = (y.clone() * weights).sum().backward();
    let of = |tensor: &Tensor<B, 4>| read(tensor.grad(&gradients).unwrap());
    [read(y), of(&x), of(&weight)]
}

fn compare<B: AutodiffBackend<Device = WgpuDevice> + ConvOps>(device: &WgpuDevice) {
    // Without strides, whose input gradients are CubeCL's: tuning them takes most of a minute, and conformance compares them.
    let cases: [Case; 3] = [
        [2, 64, 64, 8, 8, 3, 1, 1],
        // No multiples of a tile or a vector.
        [3, 36, 50, 9, 7, 3, 1, 1],
        [1, 33, 35, 5, 6, 5, 1, 2],
    ];
    for case in cases {
        let expected = results::<Autodiff<Flex>>(case, &Default::default());
        let found = results::<B>(case, device);
        for (what, (found, expected)) in ["y", "gradient of x", "gradient of weight"]
            .iter()
            .zip(found.iter().zip(&expected))
        {
            assert_eq!(found.len(), expected.len(), "{what}, {case:?}");
            let scale = expected.iter().fold(1e-2f32, |scale, value| scale.max(value.abs()));
            for (index, (a, b)) in found.iter().zip(expected).enumerate() {
                let difference = (a - b).abs();
                assert!(
                    difference <= 2e-5 * scale,
                    "{what}, {case:?}: element {index} is {a}, not {b}"
                );
            }
        }
    }
}

#[test]
fn convolutions_compute_what_the_cpu_does() {
    let Some(device) = device() else { return };
    compare::<Autodiff<Fused>>(&device);
}
