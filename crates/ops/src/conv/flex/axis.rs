//! One axis of a correlation: which input pixels an output pixel reads, and through which kernel taps.
//!
//! The convolution and its input gradient are both correlations. A convolution of stride s reads every s-th pixel and
//! has one class of outputs; its input gradient has s classes, each of every s-th pixel, with the taps that reach it.
//! Works in pixels, not in memory addresses.

use std::ops::Range;

/// A kernel tap and the position it reads: output i of a class reads input i · `in_stride` + `shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AxisTap {
    /// Index in the kernel along this axis.
    pub tap: usize,
    /// In pixels of the input; may be negative.
    pub shift: isize,
}

/// One axis of a correlation, in pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub size_in: usize,
    pub size_out: usize,
    /// Distance in input pixels between neighbouring outputs of a class.
    pub in_stride: usize,
    /// Number of classes: output o has index o / `out_stride` in class o % `out_stride`.
    pub out_stride: usize,
    /// The taps of each class.
    pub classes: Vec<Vec<AxisTap>>,
}

impl Axis {
    /// The forward convolution, from `size_in` to `size_out` pixels.
    pub fn convolution(size_in: usize, size_out: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let taps = (0..kernel).map(|tap| AxisTap {
            tap,
            shift: tap as isize - padding as isize,
        });
        Self {
            size_in,
            size_out,
            in_stride: stride,
            out_stride: 1,
            classes: vec![taps.collect()],
        }
    }

    /// The input gradient of a convolution from `size_in` to `size_out` pixels: reads the output gradient and writes the
    /// input gradient.
    pub fn input_gradient(size_in: usize, size_out: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        // Input pixel x is read by output (x + padding − tap) / stride if the division has no remainder.
        let reach = |class: usize, tap: usize| {
            let distance = (class + padding) as isize - tap as isize;
            (distance.rem_euclid(stride as isize) == 0).then(|| AxisTap {
                tap,
                shift: distance.div_euclid(stride as isize),
            })
        };
        Self {
            size_in: size_out,
            size_out: size_in,
            in_stride: 1,
            out_stride: stride,
            classes: (0..stride)
                .map(|class| (0..kernel).filter_map(|tap| reach(class, tap)).collect())
                .collect(),
        }
    }

    /// Number of outputs of a class.
    pub fn outputs(&self, class: usize) -> usize {
        self.size_out.saturating_sub(class).div_ceil(self.out_stride)
    }

    /// The input pixel that output `index` of a class reads through a tap; `None` outside the input.
    pub fn input(&self, index: usize, tap: AxisTap) -> Option<usize> {
        usize::try_from((index * self.in_stride) as isize + tap.shift)
            .ok()
            .filter(|&input| input < self.size_in)
    }

    /// The outputs of a class for which the tap reads a pixel inside the input.
    pub fn inside(&self, class: usize, tap: AxisTap) -> Range<usize> {
        let all = 0..self.outputs(class);
        let start = all.clone().find(|&index| self.input(index, tap).is_some());
        let end = all.rev().find(|&index| self.input(index, tap).is_some());
        start.unwrap_or(0)..end.map_or(0, |end| end + 1)
    }

    /// Number of pixels that are read before the start and after the end of the input.
    pub fn overhang(&self) -> [usize; 2] {
        let mut overhang = [0, 0];
        for (class, taps) in self.classes.iter().enumerate() {
            let Some(last) = self.outputs(class).checked_sub(1) else {
                continue;
            };
            for tap in taps {
                let end = (last * self.in_stride) as isize + tap.shift + 1;
                overhang[0] = overhang[0].max((-tap.shift).max(0) as usize);
                overhang[1] = overhang[1].max((end - self.size_in as isize).max(0) as usize);
            }
        }
        overhang
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every (output, tap, input) of a convolution, by its definition.
    fn pairs(size_in: usize, size_out: usize, kernel: usize, stride: usize, padding: usize) -> Vec<[usize; 3]> {
        let mut pairs = Vec::new();
        for out in 0..size_out {
            for tap in 0..kernel {
                if let Some(input) = (out * stride + tap).checked_sub(padding)
                    && input < size_in
                {
                    pairs.push([out, tap, input]);
                }
            }
        }
        pairs
    }

    fn found(axis: &Axis) -> Vec<[usize; 3]> {
        let mut pairs = Vec::new();
        for (class, taps) in axis.classes.iter().enumerate() {
            for tap in taps {
                for index in axis.inside(class, *tap) {
                    let input = axis.input(index, *tap).expect("inside");
                    pairs.push([class + index * axis.out_stride, tap.tap, input]);
                }
            }
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn both_directions_have_the_pairs_of_the_definition() {
        for (size_in, kernel, stride, padding) in [
            (5, 3, 1, 1),
            (8, 3, 2, 1),
            (9, 7, 2, 3),
            (4, 1, 2, 0),
            (7, 1, 3, 2),
            (1, 7, 1, 3),
            (6, 2, 3, 0),
        ] {
            let size_out = (size_in + 2 * padding - kernel) / stride + 1;
            let pairs = pairs(size_in, size_out, kernel, stride, padding);
            assert_eq!(
                found(&Axis::convolution(size_in, size_out, kernel, stride, padding)),
                pairs
            );
            let mut turned = found(&Axis::input_gradient(size_in, size_out, kernel, stride, padding));
            turned.iter_mut().for_each(|pair| pair.swap(0, 2));
            turned.sort_unstable();
            assert_eq!(turned, pairs, "{size_in} {kernel} {stride} {padding}");
        }
    }

    #[test]
    fn the_overhang_is_the_padding_that_is_read() {
        assert_eq!(Axis::convolution(8, 8, 3, 1, 1).overhang(), [1, 1]);
        assert_eq!(Axis::convolution(8, 4, 3, 2, 1).overhang(), [1, 0]);
        assert_eq!(Axis::convolution(8, 4, 1, 2, 0).overhang(), [0, 0]);
        assert_eq!(Axis::input_gradient(8, 4, 3, 2, 1).overhang(), [0, 1]);
    }
}
