//! The gradient for the input: at stride 1 a convolution of the output's gradient by the flipped weights, which only
//! reads its neighbours; at larger strides a product whose rows are added back into the image.

use rayon::prelude::*;

use super::forward::convolve;
use super::matmul::{Strides, multiply};
use super::patches::{interleave, scatter};
use super::scratch::{self, Use};
use super::shape::ConvShape;

/// From `weight` [C_out, C_in, k, k] and `output_gradient` [N, C_out, H', W'] to `gradient` [N, C_in, H, W], which holds
/// zeros on entry.
pub(super) fn input_gradient(shape: &ConvShape, weight: &[f32], output_gradient: &[f32], gradient: &mut [f32]) {
    if gradient.is_empty() || output_gradient.is_empty() {
        return;
    }
    if shape.stride == 1 {
        convolve(&shape.transposed(), output_gradient, &flipped(shape, weight), gradient);
        return;
    }
    let images = shape.images_per_product();
    let inputs = output_gradient.par_chunks(images * shape.image_out());
    gradient
        .par_chunks_mut(images * shape.image_in())
        .zip(inputs)
        .for_each(|(gradient, output_gradient)| {
            if images > 1 {
                scatter_together(shape, weight, output_gradient, gradient);
            } else {
                scatter_image(shape, weight, output_gradient, gradient);
            }
        });
}

fn scatter_image(shape: &ConvShape, weight: &[f32], output_gradient: &[f32], gradient: &mut [f32]) {
    let depth = shape.depth();
    for rows in shape.row_tiles(depth) {
        let pixels = rows.len() * shape.out_width;
        let start = rows.start * shape.out_width;
        scratch::with(Use::Columns, depth * pixels, |columns| {
            multiply(
                [depth, pixels, shape.channels_out],
                (columns, Strides::rows(pixels)),
                (weight, Strides::columns(depth)),
                (&output_gradient[start..], Strides::rows(shape.pixels_out())),
                false,
            );
            scatter(shape, columns, pixels, 0, rows, gradient);
        });
    }
}

/// Small maps: the pixels of several images side by side fill one product.
fn scatter_together(shape: &ConvShape, weight: &[f32], output_gradient: &[f32], gradient: &mut [f32]) {
    let (depth, pixels) = (shape.depth(), shape.pixels_out());
    let pitch = output_gradient.len() / shape.channels_out;
    scratch::with(Use::Gathered, output_gradient.len(), |gathered| {
        interleave(output_gradient, shape.channels_out, pixels, gathered);
        scratch::with(Use::Columns, depth * pitch, |columns| {
            multiply(
                [depth, pitch, shape.channels_out],
                (columns, Strides::rows(pitch)),
                (weight, Strides::columns(depth)),
                (gathered, Strides::rows(pitch)),
                false,
            );
            for (index, gradient) in gradient.chunks_exact_mut(shape.image_in()).enumerate() {
                scatter(shape, columns, pitch, index * pixels, 0..shape.out_height, gradient);
            }
        });
    });
}

/// Weights [C_out, C_in, k, k] as [C_in, C_out, k, k] with both axes of the kernel reversed.
fn flipped(shape: &ConvShape, weight: &[f32]) -> Vec<f32> {
    let taps = shape.taps();
    let mut flipped = vec![0.0; weight.len()];
    flipped
        .par_chunks_mut(shape.channels_out * taps)
        .enumerate()
        .for_each(|(channel_in, row)| {
            for (channel_out, kernel) in row.chunks_exact_mut(taps).enumerate() {
                let source = &weight[(channel_out * shape.channels_in + channel_in) * taps..][..taps];
                kernel
                    .iter_mut()
                    .zip(source.iter().rev())
                    .for_each(|(to, from)| *to = *from);
            }
        });
    flipped
}
