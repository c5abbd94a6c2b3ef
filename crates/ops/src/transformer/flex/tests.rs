//! Kernels against their definitions in f64, at every instruction set.

use barlow_simd::Level;

use super::exponential::exponential;
use super::{gelu, layer_norm, softmax};

fn wave(len: usize, scale: f32) -> Vec<f32> {
    (0..len)
        .map(|i| ((i * i + 3 * i) as f32 * 0.17).sin() * scale)
        .collect()
}

/// Runs `kernel` at each level and asserts that the bytes are the same; returns them.
fn at_all_levels(kernel: impl Fn() -> Vec<f32>) -> Vec<f32> {
    let results: Vec<Vec<f32>> = Level::ALL.iter().map(|level| level.scope(&kernel)).collect();
    for other in &results[1..] {
        assert!(results[0].iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    results.into_iter().next().unwrap()
}

#[test]
fn the_exponential_is_the_library_s() {
    let mut x = -87.0f32;
    while x < 88.0 {
        let expected = f64::from(x).exp();
        let error = (f64::from(exponential(x)) - expected).abs() / expected;
        assert!(error < 2.5e-7, "e^{x}: relative error {error:e}");
        x += 0.003_7;
    }
    assert_eq!(exponential(0.0), 1.0);
    assert_eq!(exponential(f32::NEG_INFINITY), 0.0);
    assert_eq!(exponential(-87.5), 0.0);
    assert!(exponential(f32::NAN).is_nan());
}

/// Φ(x) by a series of positive terms.
fn distribution(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x.abs(), x.abs(), 1.0);
    while term > 1e-18 {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    let half = sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if x < 0.0 { 0.5 - half } else { 0.5 + half }
}

#[test]
fn gelu_and_its_gradient_are_exact_to_rounding() {
    let x: Vec<f32> = (0..24_001).map(|i| (i as f32 - 12_000.0) / 2000.0).collect();
    let y = at_all_levels(|| {
        let mut y = x.clone();
        gelu::forward(&mut y);
        y
    });
    let dx = at_all_levels(|| {
        let mut dx = vec![1.0; x.len()];
        gelu::backward(&mut dx, &x);
        dx
    });
    for ((&x, &y), &dx) in x.iter().zip(&y).zip(&dx) {
        let x64 = f64::from(x);
        let phi = distribution(x64);
        let density = (-0.5 * x64 * x64).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let error = (f64::from(y) - x64 * phi).abs();
        assert!(error < 3e-7 * x64.abs().max(1.0), "gelu({x}): error {error:e}");
        let error = (f64::from(dx) - phi - x64 * density).abs();
        assert!(error < 6e-7, "gelu'({x}): error {error:e}");
    }
    let mut edge = [f32::NAN, f32::INFINITY, 0.0, -40.0];
    gelu::forward(&mut edge);
    assert!(edge[0].is_nan());
    assert_eq!(edge[1..], [f32::INFINITY, 0.0, 0.0]);
}

#[test]
fn layer_norm_is_exact_for_a_large_mean() {
    for width in [1, 7, 16, 33, 384] {
        let x: Vec<f32> = wave(3 * width, 1.0).iter().map(|x| x + 300.0).collect();
        let (weight, bias) = (wave(width, 2.0), wave(width, 0.5));
        let found = at_all_levels(|| {
            let mut y = x.clone();
            let (mut means, mut inverse_stds) = ([0.0; 3], [0.0; 3]);
            layer_norm::forward(&mut y, &weight, &bias, 1e-6, &mut means, &mut inverse_stds);
            [&y[..], &means, &inverse_stds].concat()
        });
        for (row, x) in x.chunks(width).enumerate() {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
            let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / width as f64;
            let inverse_std = 1.0 / (variance + 1e-6).sqrt();
            for (i, &x) in x.iter().enumerate() {
                let expected = (f64::from(x) - mean) * inverse_std * f64::from(weight[i]) + f64::from(bias[i]);
                let error = (f64::from(found[row * width + i]) - expected).abs();
                // Rounding of the mean, 300, scaled by the inverse of a deviation of about 0.7.
                assert!(error < 1e-4 * inverse_std.min(2.0), "width {width}: {error:e}");
            }
            assert!((f64::from(found[3 * width + row]) - mean).abs() < 3e-5);
        }
    }
}

#[test]
fn a_softmax_is_a_distribution() {
    for width in [1, 5, 16, 50, 197] {
        let x = wave(2 * width, 30.0);
        let y = at_all_levels(|| {
            let mut y = x.clone();
            softmax::forward(&mut y, width);
            y
        });
        for (x, y) in x.chunks(width).zip(y.chunks(width)) {
            let most = x.iter().fold(f64::MIN, |most, &x| most.max(f64::from(x)));
            let total: f64 = x.iter().map(|&x| (f64::from(x) - most).exp()).sum();
            for (&x, &y) in x.iter().zip(y) {
                let expected = (f64::from(x) - most).exp() / total;
                assert!(
                    (f64::from(y) - expected).abs() < 1e-6 * expected.max(1e-6),
                    "{y} {expected}"
                );
            }
        }
    }
}
