//! The convolution itself: patches of a few rows at a time, times the weights, parallel over images.

use rayon::prelude::*;

use super::matmul::{Strides, multiply};
use super::patches::{deal_out, gather};
use super::scratch::{self, Use};
use super::shape::ConvShape;

/// Output channels for which the `gemm` crate does not pack the pixels (eight times its six columns).
const UNPACKED: usize = 48;

/// `x` [N, C_in, H, W] ⋆ `weight` [C_out, C_in, k, k], written to `out` [N, C_out, H', W'].
pub(super) fn convolve(shape: &ConvShape, x: &[f32], weight: &[f32], out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    if shape.depth() == 0 || shape.pixels_in() == 0 {
        out.fill(0.0);
        return;
    }
    let images = shape.images_per_product();
    let tasks = out
        .par_chunks_mut(images * shape.image_out())
        .zip(x.par_chunks(images * shape.image_in()));
    tasks.for_each(|(out, x)| {
        if images > 1 {
            convolve_together(shape, x, weight, out);
        } else if shape.is_pointwise() {
            let pixels = Strides::rows(shape.pixels_out());
            let sizes = [shape.channels_out, shape.pixels_out(), shape.channels_in];
            multiply(
                sizes,
                (out, pixels),
                (weight, Strides::rows(shape.depth())),
                (x, pixels),
                false,
            );
        } else {
            convolve_image(shape, x, weight, out);
        }
    });
}

fn convolve_image(shape: &ConvShape, x: &[f32], weight: &[f32], out: &mut [f32]) {
    let depth = shape.depth();
    for rows in shape.row_tiles(depth) {
        let pixels = rows.len() * shape.out_width;
        let start = rows.start * shape.out_width;
        scratch::with(Use::Columns, depth * pixels, |columns| {
            gather(shape, x, rows, columns, pixels, 0);
            weigh(
                shape,
                pixels,
                weight,
                (columns, Strides::rows(pixels)),
                &mut out[start..],
            );
        });
    }
}

/// The product of all weights and the patches of `pixels` pixels, written to those pixels of every output plane.
fn weigh(shape: &ConvShape, pixels: usize, weight: &[f32], columns: (&[f32], Strides), out: &mut [f32]) {
    let (depth, plane) = (shape.depth(), shape.pixels_out());
    // Up to 48 output channels the product reads the patches where they lie; above, it packs them first, which pays only
    // where many channels share them.
    let block = if shape.channels_out <= 3 * UNPACKED {
        UNPACKED
    } else {
        shape.channels_out
    };
    for first in (0..shape.channels_out).step_by(block) {
        multiply(
            [block.min(shape.channels_out - first), pixels, depth],
            (&mut out[first * plane..], Strides::rows(plane)),
            (&weight[first * depth..], Strides::rows(depth)),
            columns,
            false,
        );
    }
}

/// Small maps: the pixels of several images side by side fill one product, whose rows are then dealt out again.
fn convolve_together(shape: &ConvShape, x: &[f32], weight: &[f32], out: &mut [f32]) {
    let (depth, pixels) = (shape.depth(), shape.pixels_out());
    let images = out.len() / shape.image_out();
    let pitch = images * pixels;
    scratch::with(Use::Columns, depth * pitch, |columns| {
        for (index, image) in x.chunks_exact(shape.image_in()).enumerate() {
            gather(shape, image, 0..shape.out_height, columns, pitch, index * pixels);
        }
        scratch::with(Use::Product, shape.channels_out * pitch, |product| {
            multiply(
                [shape.channels_out, pitch, depth],
                (product, Strides::rows(pitch)),
                (weight, Strides::rows(depth)),
                (columns, Strides::rows(pitch)),
                false,
            );
            deal_out(product, shape.channels_out, pixels, out);
        });
    });
}
