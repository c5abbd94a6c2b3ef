//! Plain loops compiled for several instruction sets, from `barlow-simd`, and a helper of such loops.
//!
//! No loop may depend on the instruction set: floating-point operations are never contracted or reordered, so results are equal to
//! the bit, and tests compare all kernels with their baseline form (`kernel_tests.rs`).

pub(crate) use barlow_simd::vectorised;

/// Truncates a value to an integer in [0, 255]; values outside are clamped. Equal to `as u8`, which LLVM vectorises badly.
#[inline(always)]
pub(crate) fn cut_to_u8(value: f32) -> u8 {
    /// 2^23: from here on an f32 has no fraction, and its lowest bits are the integer.
    const WHOLE: f32 = 8_388_608.0;
    // Written as `maxps` and `minps` work.
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 255.0 { value } else { 255.0 };
    let shifted = value + WHOLE;
    let is_above = shifted - WHOLE > value;
    (shifted.to_bits() - u32::from(is_above)) as u8
}

/// Runs `work` with all kernels compiled for the target's baseline.
#[cfg(test)]
pub(crate) fn at_baseline<R>(work: impl FnOnce() -> R) -> R {
    barlow_simd::Level::Baseline.scope(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_is_what_the_language_does() {
        let mut value = -3.0_f32;
        while value < 260.0 {
            for near in [value, value.next_up(), value.next_down()] {
                assert_eq!(cut_to_u8(near), near as u8, "{near:?}");
            }
            value += 0.25;
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -0.0, 0.1 + 254.9] {
            assert_eq!(cut_to_u8(value), value as u8, "{value:?}");
        }
    }
}
