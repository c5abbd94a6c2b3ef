//! Tests of the loss's GPU kernels against plain loops in f64, with and without the fusion layer, on any WGPU adapter. Mesa's
//! software Vulkan driver (Debian: mesa-vulkan-drivers) is sufficient.

mod chain;
#[path = "../common/mod.rs"]
mod common;
mod suite;
mod support;
mod w_mse;

use barlow_loss::ops::LossOps;
use burn::tensor::{DType, Tensor};
use burn_flex::Flex;

use support::{Fused, Plain, device, gradient, matrix, read, sums, uniform};

/// Powers of two, primes, and sizes near the piece of one cube; even sizes are read in vectors, odd ones element by element.
const SIZES: [usize; 10] = [1, 2, 3, 31, 64, 127, 257, 510, 1031, 2048];

/// The four sums in f64, and the sums of the absolute values of their terms, to which rounding errors are relative.
fn expected_sums(c: &[f32], d: usize) -> ([f64; 4], [f64; 4]) {
    let (mut sums, mut magnitudes) = ([0.0; 4], [0.0; 4]);
    for (k, &value) in c.iter().enumerate() {
        let value = f64::from(value);
        let terms = if k / d == k % d {
            [(1.0 - value).powi(2), 0.0, value, value * value]
        } else {
            [0.0, value * value, 0.0, 0.0]
        };
        for (slot, term) in terms.into_iter().enumerate() {
            sums[slot] += term;
            magnitudes[slot] += term.abs();
        }
    }
    (sums, magnitudes)
}

#[track_caller]
fn assert_sums(got: &[f32], c: &[f32], d: usize) {
    let (expected, magnitudes) = expected_sums(c, d);
    for slot in 0..4 {
        let error = (f64::from(got[slot]) - expected[slot]).abs();
        assert!(
            error <= 1e-6 * magnitudes[slot],
            "D {d}, sum {slot}: {} for {}",
            got[slot],
            expected[slot]
        );
    }
}

#[track_caller]
fn assert_gradient(got: &[f32], c: &[f32], weights: [f32; 2], d: usize) {
    let [invariance, redundancy] = weights.map(f64::from);
    assert_eq!(got.len(), d * d);
    for (k, (&got, &value)) in got.iter().zip(c).enumerate() {
        let value = f64::from(value);
        let expected = if k / d == k % d {
            -2.0 * invariance * (1.0 - value)
        } else {
            2.0 * redundancy * value
        };
        let error = (f64::from(got) - expected).abs();
        assert!(
            error <= 1e-6 * expected.abs(),
            "D {d}, [{}, {}]: {got} for {expected}",
            k / d,
            k % d
        );
    }
}

fn every_size<B: LossOps>(device: &B::Device) {
    let weights = [0.25, 0.0051];
    for d in SIZES {
        let c = uniform(d * d, d as u64);
        let tensor = matrix::<B>(&c, d, device);
        assert_sums(&sums(tensor.clone()), &c, d);
        assert_gradient(
            &read(gradient(tensor, Tensor::from_floats(weights, device))),
            &c,
            weights,
            d,
        );
    }
}

#[test]
fn every_size_agrees_with_f64() {
    let Some(device) = device() else { return };
    every_size::<Plain>(&device);
}

#[test]
fn every_size_agrees_with_f64_under_fusion() {
    let Some(device) = device() else { return };
    every_size::<Fused>(&device);
}

#[test]
fn a_small_off_diagonal_is_not_lost_beside_the_diagonal() {
    let Some(device) = device() else { return };
    for d in [257, 1024] {
        let mut c = uniform(d * d, 7).iter().map(|x| 1e-4 * x).collect::<Vec<_>>();
        (0..d).for_each(|i| c[i * (d + 1)] += 1.0);
        assert_sums(&sums(matrix::<Plain>(&c, d, &device)), &c, d);
    }
}

#[test]
fn every_run_gives_the_same_bytes() {
    let Some(device) = device() else { return };
    for d in [1031, 2048] {
        let values = uniform(d * d, 3);
        let c = matrix::<Plain>(&values, d, &device);
        let weights = Tensor::from_floats([0.5, 0.01], &device);
        let run = || {
            let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            (bits(sums(c.clone())), bits(read(gradient(c.clone(), weights.clone()))))
        };
        let first = run();
        assert!((1..20).all(|_| run() == first), "D {d}");
        // C must not be overwritten while this test shares it; with the last reference it may be, with the same result.
        assert!(read(c.clone()) == values, "D {d}");
        let last = read(gradient(c, weights));
        assert!(last.iter().map(|x| x.to_bits()).eq(first.1), "D {d}");
    }
}

#[test]
fn one_nan_shows() {
    let Some(device) = device() else { return };
    for d in [5, 64] {
        for (at, shown) in [(d + 1, [true, false, true, true]), (d - 1, [false, true, false, false])] {
            let mut c = uniform(d * d, 1);
            c[at] = f32::NAN;
            let tensor = matrix::<Fused>(&c, d, &device);
            let got = sums(tensor.clone());
            assert_eq!(
                got.iter().map(|x| x.is_nan()).collect::<Vec<_>>(),
                shown,
                "D {d}, element {at}: {got:?}"
            );
            let dc = read(gradient(tensor, Tensor::from_floats([1.0, 1.0], &device)));
            assert!(
                dc.iter().enumerate().all(|(k, x)| x.is_nan() == (k == at)),
                "D {d}, element {at}"
            );
        }
    }
}

fn any_layout<B: LossOps>(device: &B::Device) {
    // The last of the three narrowed tensors is contiguous, but starts in the middle of its buffer.
    for (height, width, row, column, d) in [(64, 64, 0, 0, 64), (70, 80, 3, 5, 33), (96, 64, 16, 0, 64)] {
        let values = uniform(height * width, 11);
        let large = matrix::<B>(&values, height, device);
        let narrowed = large.narrow(0, row, d).narrow(1, column, d);
        let mut c: Vec<f32> = Vec::new();
        (row..row + d).for_each(|i| c.extend(&values[i * width + column..][..d]));
        let transposed = (0..d * d).map(|k| c[k % d * d + k / d]).collect::<Vec<_>>();
        let weights = Tensor::from_floats([9.0, 0.75, 0.125, 9.0], device).narrow(0, 1, 2);
        for (tensor, c) in [(narrowed.clone(), c), (narrowed.transpose(), transposed)] {
            assert_sums(&sums(tensor.clone()), &c, d);
            assert_gradient(&read(gradient(tensor, weights.clone())), &c, [0.75, 0.125], d);
        }
    }
}

#[test]
fn any_layout_is_read_right() {
    let Some(device) = device() else { return };
    any_layout::<Plain>(&device);
    any_layout::<Fused>(&device);
}

#[test]
fn other_element_types_take_the_plain_operations() {
    let Some(device) = device() else { return };
    // 1 on the diagonal except for the last element, which is 2, and 1/4 elsewhere: exact in half precision.
    let d = 8;
    let mut c = vec![0.25; d * d];
    (0..d).for_each(|i| c[i * (d + 1)] = 1.0);
    c[d * d - 1] = 2.0;
    let half = matrix::<Plain>(&c, d, &device).cast(DType::F16);
    assert_eq!(sums(half), [1.0, 3.5, 9.0, 11.0]);
}

#[test]
fn the_largest_buffer_is_known() {
    let Some(device) = device() else { return };
    let bytes = Plain::largest_buffer(&device).expect("a limit");
    // WebGPU guarantees at least 128 MiB on every adapter.
    assert!(bytes >= 128 << 20, "{bytes}");
    assert_eq!(Fused::largest_buffer(&device), Some(bytes));
    assert_eq!(Flex::largest_buffer(&Default::default()), None);
}
