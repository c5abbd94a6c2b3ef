//! GELU and its gradient.
//!
//! The normal distribution function is formula 7.1.26 of Abramowitz and Stegun, whose absolute error of 8e-8 is that of rounding to
//! f32; it shares the exponential with the density.

use barlow_simd::vectorised;

use super::exponential::exponential;

const FRAC_1_SQRT_2PI: f32 = 0.398_942_3;

/// Φ(x) and e^(−x²/2).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const P: f32 = 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + P * x.abs());
    let exponential = exponential(-0.5 * x * x);
    let series = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let tail = 0.5 * series * exponential;
    (if x > 0.0 { 1.0 - tail } else { tail }, exponential)
}

vectorised! {
    /// Replaces each x by x·Φ(x).
    pub(super) fn forward<'a>(values: &'a mut [f32]) {
        for value in values {
            *value *= normal(*value).0;
        }
    }

    /// Replaces the gradient of each output by that of its input x.
    pub(super) fn backward<'a>(gradients: &'a mut [f32], x: &'a [f32]) {
        for (gradient, &x) in gradients.iter_mut().zip(x) {
            let (distribution, exponential) = normal(x);
            *gradient *= distribution + x * exponential * FRAC_1_SQRT_2PI;
        }
    }
}
