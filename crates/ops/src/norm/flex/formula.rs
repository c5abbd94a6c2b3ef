//! Formulas on SIMD vectors of floats.
//!
//! They are trait methods, not closures, because a method can be marked `#[inline(always)]`; the loops are indexed for the same
//! reason.

use barlow_simd::Simd;

use super::part::Part;

/// A function on SIMD vectors of a channel's parameters `p` and two operands.
pub(super) trait Formula<S: Simd, const P: usize, Result> {
    fn of(simd: S, p: [S::f32s; P], a: S::f32s, b: S::f32s) -> Result;
}

/// The parameters of channel `c`, each broadcast to all lanes.
#[inline(always)]
pub(super) fn splat<S: Simd, const P: usize>(simd: S, params: [&[f32]; P], c: usize) -> [S::f32s; P] {
    let mut values = [simd.splat_f32s(0.0); P];
    for i in 0..P {
        values[i] = simd.splat_f32s(params[i][c]);
    }
    values
}

/// The parameters of the channels of a part.
#[inline(always)]
pub(super) fn loaded<S: Simd, const P: usize>(part: Part<S>, params: [&[f32]; P]) -> [S::f32s; P] {
    let mut values = [part.simd.splat_f32s(0.0); P];
    for i in 0..P {
        values[i] = part.load(params[i]);
    }
    values
}

/// centred · scale + bias, rounded twice on every machine (never a fused multiply-add).
#[inline(always)]
pub(super) fn affine<S: Simd>(simd: S, centred: S::f32s, scale: S::f32s, bias: S::f32s) -> S::f32s {
    simd.add_f32s(simd.mul_f32s(centred, scale), bias)
}

/// `value` where y is positive or NaN, else 0. As in torch, so that NaN is not hidden by a ReLU.
#[inline(always)]
pub(super) fn where_positive<S: Simd>(simd: S, y: S::f32s, value: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_or_equal_f32s(y, zero), zero, value)
}

/// 1/√(variance + epsilon), computed from the stored (rounded) variance, so that it is equal in the forward and the backward
/// pass.
pub(super) fn inverse_std(variance: f32, epsilon: f64) -> f32 {
    (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32
}
