//! The numbers of one convolution and how its work is cut.
//!
//! Every cut is a function of the shape alone, never of the number of threads: the same sums in the same order on any
//! machine share. Knows nothing of tensors.

use std::ops::Range;

use super::super::ConvGeometry;

/// Fewer output pixels than this in an image, and several images share a product.
const PIXELS_PER_PRODUCT: usize = 256;
/// Floats of patches in one tile: with the operands around it, it stays in a second-level cache.
const TILE_FLOATS: usize = 160 * 1024;

/// Pixels the matrix product takes at a time with AVX-512; a multiple of what it takes elsewhere.
const PANEL: usize = 64;

/// A convolution of known sizes; all in elements.
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
    /// May be negative: the convolution that is the gradient of a generously padded one crops.
    pub padding: isize,
}

impl ConvShape {
    /// The forward convolution of `x` [N, C_in, H, W] and `weight` [C_out, C_in, k, k].
    ///
    /// # Panics
    /// If the channels differ, the kernel is not square, or it is larger than the padded input.
    pub fn new(x: [usize; 4], weight: [usize; 4], geometry: ConvGeometry) -> Self {
        let [images, channels_in, height, width] = x;
        let [channels_out, weight_channels, kernel, kernel_width] = weight;
        assert!(
            channels_in == weight_channels && kernel == kernel_width,
            "convolution: input {x:?} and weight {weight:?} do not fit ([N, C_in, H, W] and [C_out, C_in, k, k])"
        );
        let (out_height, out_width) = (
            geometry.output_size(height, kernel),
            geometry.output_size(width, kernel),
        );
        let padding = geometry.padding as isize;
        let stride = geometry.stride;
        Self {
            images,
            channels_in,
            height,
            width,
            channels_out,
            out_height,
            out_width,
            kernel,
            stride,
            padding,
        }
    }

    /// The stride-1 convolution of the output's gradient by flipped weights that gives the input's gradient.
    pub fn transposed(&self) -> Self {
        debug_assert_eq!(self.stride, 1);
        Self {
            channels_in: self.channels_out,
            height: self.out_height,
            width: self.out_width,
            channels_out: self.channels_in,
            out_height: self.height,
            out_width: self.width,
            padding: self.kernel as isize - 1 - self.padding,
            ..*self
        }
    }

    pub fn output_dims(&self) -> [usize; 4] {
        [self.images, self.channels_out, self.out_height, self.out_width]
    }

    pub fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Rows of the patch matrix: one for each (channel, ky, kx).
    pub fn depth(&self) -> usize {
        self.channels_in * self.taps()
    }

    pub fn pixels_in(&self) -> usize {
        self.height * self.width
    }

    pub fn pixels_out(&self) -> usize {
        self.out_height * self.out_width
    }

    pub fn image_in(&self) -> usize {
        self.channels_in * self.pixels_in()
    }

    pub fn image_out(&self) -> usize {
        self.channels_out * self.pixels_out()
    }

    pub fn weights(&self) -> usize {
        self.channels_out * self.depth()
    }

    /// Whether the patches are the image itself.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Images in one product: one, or as many as fill it where maps are small; at least eight tasks if there are images.
    pub fn images_per_product(&self) -> usize {
        let filled = PIXELS_PER_PRODUCT / self.pixels_out().max(1);
        filled.min(self.images.div_ceil(8)).max(1)
    }

    /// Cuts the output rows of an image into tiles whose patch matrix of `depth` rows has a good size.
    pub fn row_tiles(&self, depth: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (width, height) = (self.out_width.max(1), self.out_height);
        let pixels = (TILE_FLOATS / depth.max(1)).clamp(PANEL, 16 * PANEL);
        let most = (pixels / width).clamp(1, height.max(1));
        // Whole panels if rows can fill them.
        let rows = (1..=most).rev().find(|rows| rows * width % PANEL == 0).unwrap_or(most);
        (0..height)
            .step_by(rows)
            .map(move |start| start..(start + rows).min(height))
    }
}
