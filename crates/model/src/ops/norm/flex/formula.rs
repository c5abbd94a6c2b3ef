//! What is computed of a vector of floats.
//!
//! Formulas are no closures, because a method can be told to be inlined wherever it is called; for the same reason the loops
//! are indexed.

use pulp::Simd;

use super::part::Part;

/// A function, on vectors, of a channel's values `p` and two operands.
pub(super) trait Formula<S: Simd, const P: usize, Result> {
    fn of(simd: S, p: [S::f32s; P], a: S::f32s, b: S::f32s) -> Result;
}

/// The values of channel `c`, each in all lanes.
#[inline(always)]
pub(super) fn splat<S: Simd, const P: usize>(simd: S, params: [&[f32]; P], c: usize) -> [S::f32s; P] {
    let mut values = [simd.splat_f32s(0.0); P];
    for i in 0..P {
        values[i] = simd.splat_f32s(params[i][c]);
    }
    values
}

/// The values of the channels of a part.
#[inline(always)]
pub(super) fn loaded<S: Simd, const P: usize>(part: Part<S>, params: [&[f32]; P]) -> [S::f32s; P] {
    let mut values = [part.simd.splat_f32s(0.0); P];
    for i in 0..P {
        values[i] = part.load(params[i]);
    }
    values
}

/// centred · scale + bias, in two roundings on every machine.
#[inline(always)]
pub(super) fn affine<S: Simd>(simd: S, centred: S::f32s, scale: S::f32s, bias: S::f32s) -> S::f32s {
    simd.add_f32s(simd.mul_f32s(centred, scale), bias)
}

/// `value` where y > 0 or is not a number, else 0. As torch has it: a run that diverges shows it.
#[inline(always)]
pub(super) fn where_positive<S: Simd>(simd: S, y: S::f32s, value: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_or_equal_f32s(y, zero), zero, value)
}
