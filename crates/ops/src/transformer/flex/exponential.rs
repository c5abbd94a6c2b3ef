//! eˣ in f32 by operations that a compiler can vectorise, for plain loops.

/// e^x, to 2 units in the last place. 0 below −87 (where the result would be subnormal), and the value of 88 above 88; NaN stays NaN.
#[inline(always)]
pub(super) fn exponential(x: f32) -> f32 {
    // Adding it rounds to an integer, in the lowest bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts: products of the first one with small integers are exact.
    const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let clamped = if x > 88.0 { 88.0 } else { x };
    let clamped = if clamped < -87.0 { -87.0 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = clamped - whole * LN2[0] - whole * LN2[1];
    // Cephes' polynomial for |r| ≤ ln 2 / 2.
    let p = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1)
        * r
        + 0.5;
    let fraction = p * r * r + r + 1.0;
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    let value = fraction * scale;
    if x < -87.0 { 0.0 } else { value }
}
