//! Hot loops compiled for the vector instructions of the machine they meet.
//!
//! Why: the program is built for the oldest x86-64 (or ARM64), where a vector holds 16 bytes, and most machines have
//! 32 or 64. The loops are plain safe Rust that LLVM vectorises; [`vectorised!`] compiles them once for each instruction
//! set and the best is taken at run time. No loop may depend on which was taken: floating point operations are never
//! contracted or reordered, so results are equal to the bit, and tests compare all kernels with their baseline form.
//! This file must not know what the loops do.

/// A function whose body is compiled for several instruction sets. What the body calls must be `#[inline(always)]`:
/// anything else, closures too large to be inlined among it, would be compiled for the baseline. A lifetime stands for
/// all borrows.
macro_rules! vectorised {
    ($(#[$meta:meta])* fn $name:ident<$life:lifetime>($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        fn $name<$life>($($argument: $type),*) $(-> $result)? {
            struct Kernel<$life> {
                $($argument: $type),*
            }
            impl<$life> pulp::NullaryFnOnce for Kernel<$life> {
                #[allow(unused_parens)]
                type Output = ($($result)?);

                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Self { $($argument),* } = self;
                    $body
                }
            }
            $crate::simd::run(Kernel { $($argument),* })
        }
    };
}
pub(crate) use vectorised;

/// Calls the kernel compiled for the machine's widest vectors.
#[inline]
pub(crate) fn run<K: pulp::NullaryFnOnce>(kernel: K) -> K::Output {
    #[cfg(test)]
    if tests::BASELINE.get() {
        return kernel.call();
    }
    pulp::Arch::new().dispatch(kernel)
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
    use std::cell::Cell;

    use super::*;
    use crate::{PlanarImage8, RgbImage8};

    thread_local! {
        /// Whether kernels run as they are compiled for the baseline.
        pub(super) static BASELINE: Cell<bool> = const { Cell::new(false) };
    }

    fn at_baseline<R>(work: impl FnOnce() -> R) -> R {
        BASELINE.set(true);
        let result = work();
        BASELINE.set(false);
        result
    }

    #[test]
    fn every_kernel_gives_the_same_bytes_with_and_without_vectors() {
        type Operation = fn(&mut PlanarImage8);
        let operations: [(&str, Operation); 11] = [
            ("flip", crate::flip_horizontal),
            ("brightness", |i| crate::brightness(i.rgb_planes().unwrap(), 1.37)),
            ("contrast", |i| crate::contrast(i.rgb_planes().unwrap(), 0.63)),
            ("saturation", |i| crate::saturation(i.rgb_planes().unwrap(), 1.19)),
            ("hue", |i| crate::hue(i.rgb_planes().unwrap(), -0.09)),
            ("greyscale", |i| crate::greyscale(i.rgb_planes().unwrap())),
            ("solarize", |i| crate::solarize(i.rgb_planes().unwrap())),
            ("small blur", |i| crate::gaussian_blur(i, 0.7)),
            ("blur", |i| crate::gaussian_blur(i, 1.9)),
            ("large blur", |i| crate::gaussian_blur(i, 6.0)),
            ("interleave", |i| *i = PlanarImage8::from(&RgbImage8::from(&*i))),
        ];
        // Widths around the number of lanes of every vector, so that remainders are met too.
        for width in [1, 3, 15, 16, 17, 63, 64, 65, 224] {
            let pixels = (0..3 * width * 19).map(|k| ((k * 7919 + k * k / 31) % 256) as u8);
            let image = PlanarImage8::new(3, width, 19, pixels.collect());
            for (name, operation) in operations {
                let (mut wide, mut narrow) = (image.clone(), image.clone());
                operation(&mut wide);
                at_baseline(|| operation(&mut narrow));
                assert!(wide.pixels() == narrow.pixels(), "{name} of {width} pixels");
            }
        }
    }

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
