//! Runs a hot loop compiled for the vector instructions of the machine it meets.
//!
//! Why: the program is built for the oldest x86-64 (or ARM64), where a vector holds 16 bytes, and most machines have
//! 32 or 64. The loops are plain safe Rust that LLVM vectorises; [`dispatch`] compiles them once for each instruction
//! set and takes the best at run time. No loop may depend on which was taken: floating point operations are never
//! contracted or reordered, so results are equal to the bit, and each kernel is tested so. This file must not know
//! what the loops do.

/// Calls `kernel` in a context compiled for the machine's widest vectors. `kernel` and all it calls must be functions
/// marked `#[inline(always)]`: a closure, or what is not inlined, is compiled for the baseline.
#[inline]
pub(crate) fn dispatch<A, R>(arguments: A, kernel: impl FnOnce(A) -> R) -> R {
    pulp::Arch::new().dispatch(Call { arguments, kernel })
}

struct Call<A, K> {
    arguments: A,
    kernel: K,
}

impl<A, R, K: FnOnce(A) -> R> pulp::NullaryFnOnce for Call<A, K> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.kernel)(self.arguments)
    }
}

/// A value of [0, 255] without its fraction; what lies outside is cut to the nearest end. `as u8` would do the same,
/// and keeps a loop from being vectorised well.
#[inline(always)]
pub(crate) fn cut_to_u8(value: f32) -> u8 {
    /// 2^23: from here on a f32 has no fraction, and its lowest bits are the whole number.
    const WHOLE: f32 = 8_388_608.0;
    // Written as `maxps` and `minps` work.
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 255.0 { value } else { 255.0 };
    let shifted = value + WHOLE;
    let is_above = shifted - WHOLE > value;
    (shifted.to_bits() - u32::from(is_above)) as u8
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
