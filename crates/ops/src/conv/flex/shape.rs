//! Dimensions of one convolution. Independent of tensors.

use super::axis::Axis;
use super::correlation::Correlation;
use crate::ConvGeometry;

/// A convolution with all its dimensions, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConvShape {
    pub images: usize,
    pub channels_in: usize,
    pub height: usize,
    pub width: usize,
    pub channels_out: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

impl ConvShape {
    /// The forward convolution of `x` [N, C_in, H, W] and `weight` [C_out, C_in, k, k].
    ///
    /// # Panics
    /// If the channels differ, the kernel is not square, or the kernel is larger than the padded input.
    pub fn new(x: [usize; 4], weight: [usize; 4], geometry: ConvGeometry) -> Self {
        let [images, channels_in, height, width] = x;
        let [channels_out, weight_channels, kernel, kernel_width] = weight;
        assert!(
            channels_in == weight_channels && kernel == kernel_width,
            "convolution: input {x:?} and weight {weight:?} do not fit ([N, C_in, H, W] and [C_out, C_in, k, k])"
        );
        Self {
            images,
            channels_in,
            height,
            width,
            channels_out,
            out_height: geometry.output_size(height, kernel),
            out_width: geometry.output_size(width, kernel),
            kernel,
            stride: geometry.stride,
            padding: geometry.padding,
        }
    }

    /// The forward convolution.
    pub fn convolution(&self) -> Correlation {
        let (y, x) = self.axes();
        Correlation {
            images: self.images,
            channels_in: self.channels_in,
            channels_out: self.channels_out,
            kernel: self.kernel,
            y,
            x,
        }
    }

    /// The input gradient, computed from the output gradient.
    pub fn input_gradient(&self) -> Correlation {
        let axis = |size_in, size_out| Axis::input_gradient(size_in, size_out, self.kernel, self.stride, self.padding);
        Correlation {
            images: self.images,
            channels_in: self.channels_out,
            channels_out: self.channels_in,
            kernel: self.kernel,
            y: axis(self.height, self.out_height),
            x: axis(self.width, self.out_width),
        }
    }

    /// The axes (y, x) of the convolution.
    pub fn axes(&self) -> (Axis, Axis) {
        let axis = |size_in, size_out| Axis::convolution(size_in, size_out, self.kernel, self.stride, self.padding);
        (axis(self.height, self.out_height), axis(self.width, self.out_width))
    }

    pub fn output_dims(&self) -> [usize; 4] {
        [self.images, self.channels_out, self.out_height, self.out_width]
    }

    pub fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Weights per output channel.
    pub fn depth(&self) -> usize {
        self.channels_in * self.taps()
    }

    pub fn weights(&self) -> usize {
        self.channels_out * self.depth()
    }
}
