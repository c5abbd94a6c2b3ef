//! Stride and padding of convolution and pooling.

use burn::tensor::ops::ConvOptions;

/// Stride and padding of a square 2-d convolution (zero padding) or pooling (padding that is never read), equal on both axes.
/// No dilation, no bias. The number of groups is not part of it: it follows from the channels of input and weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    /// Distance between two outputs, in pixels (≥ 1).
    pub stride: usize,
    /// Padding on each side, in pixels.
    pub padding: usize,
}

impl ConvGeometry {
    /// Number of outputs along an axis of `input` pixels for a kernel of `kernel` pixels:
    /// (input + 2·padding − kernel) / stride + 1, rounded down.
    ///
    /// # Panics
    /// If the stride is 0 or the kernel is larger than the padded input.
    pub fn output_size(&self, input: usize, kernel: usize) -> usize {
        let padded = input + 2 * self.padding;
        assert!(self.stride >= 1, "the stride must be at least 1");
        assert!(
            kernel <= padded,
            "a kernel of {kernel} does not fit {padded} pixels (including padding)"
        );
        (padded - kernel) / self.stride + 1
    }

    /// As Burn's `ConvOptions`.
    pub(crate) fn options(&self, groups: usize) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], groups)
    }
}
