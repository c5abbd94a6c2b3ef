//! The gradient for the weights: a sum over all images, cut into blocks of input channels (independent) and chunks of images
//! (partial sums added in their order), so that the result does not depend on the number of threads.

use rayon::prelude::*;

use super::matmul::{Strides, multiply};
use super::patches::{gather, interleave};
use super::scratch::{self, Use};
use super::shape::ConvShape;

/// Rows of the patch matrix in a block: fewer, and the output's gradient is packed too often.
const BLOCK_ROWS: usize = 576;
/// Tasks to aim for: enough for many cores, few enough that partial sums stay cheap.
const TASKS: usize = 32;
/// Floats of partial sums (unless a single chunk has more).
const PARTIAL_FLOATS: usize = 2 * 1024 * 1024;
/// Output channels summed and turned together.
const LANES: usize = 16;

/// From `x` [N, C_in, H, W] and `output_gradient` [N, C_out, H', W'] to `gradient` [C_out, C_in, k, k].
pub(super) fn weight_gradient(shape: &ConvShape, x: &[f32], output_gradient: &[f32], gradient: &mut [f32]) {
    if gradient.is_empty() || x.is_empty() || output_gradient.is_empty() {
        gradient.fill(0.0);
        return;
    }
    let channels = (BLOCK_ROWS / shape.taps()).clamp(1, shape.channels_in);
    let blocks = shape.channels_in.div_ceil(channels);
    let chunks = (TASKS / blocks)
        .min(PARTIAL_FLOATS / shape.weights())
        .clamp(1, shape.images);
    let images = shape.images.div_ceil(chunks);

    // One partial sum a chunk, transposed: [C_in·k², C_out], so that a block of input channels is a run of rows.
    let mut partial = vec![0.0; shape.images.div_ceil(images) * shape.weights()];
    let tasks: Vec<_> = partial
        .chunks_exact_mut(shape.weights())
        .enumerate()
        .flat_map(|(chunk, sum)| {
            let block_floats = channels * shape.taps() * shape.channels_out;
            sum.chunks_mut(block_floats)
                .enumerate()
                .map(move |(block, sum)| (chunk, block, sum))
        })
        .collect();
    tasks.into_par_iter().for_each(|(chunk, block, sum)| {
        let first = chunk * images;
        let last = (first + images).min(shape.images);
        let x = &x[first * shape.image_in()..last * shape.image_in()];
        let output_gradient = &output_gradient[first * shape.image_out()..last * shape.image_out()];
        accumulate(shape, x, block * channels * shape.pixels_in(), output_gradient, sum);
    });
    reduce(shape, &partial, gradient);
}

/// Adds up `sum` [rows, C_out] over the images of a chunk; `plane` is where the block's channels start in an image.
fn accumulate(shape: &ConvShape, x: &[f32], plane: usize, output_gradient: &[f32], sum: &mut [f32]) {
    let depth = sum.len() / shape.channels_out;
    let planes = plane..plane + depth / shape.taps() * shape.pixels_in();
    let together = shape.images_per_product();
    let mut started = false;
    let groups = x
        .chunks(together * shape.image_in())
        .zip(output_gradient.chunks(together * shape.image_out()));
    for (x, output_gradient) in groups {
        if together > 1 {
            accumulate_together(shape, x, planes.clone(), output_gradient, sum, started);
            started = true;
            continue;
        }
        for rows in shape.row_tiles(depth) {
            let pixels = rows.len() * shape.out_width;
            let start = rows.start * shape.out_width;
            scratch::with(Use::Columns, depth * pixels, |columns| {
                gather(shape, &x[planes.clone()], rows, columns, pixels, 0);
                multiply(
                    [depth, shape.channels_out, pixels],
                    (sum, Strides::rows(shape.channels_out)),
                    (columns, Strides::rows(pixels)),
                    (&output_gradient[start..], Strides::columns(shape.pixels_out())),
                    started,
                );
            });
            started = true;
        }
    }
}

/// Small maps: several images side by side, the output's gradient too.
fn accumulate_together(
    shape: &ConvShape,
    x: &[f32],
    planes: std::ops::Range<usize>,
    output_gradient: &[f32],
    sum: &mut [f32],
    started: bool,
) {
    let depth = sum.len() / shape.channels_out;
    let pixels = shape.pixels_out();
    let pitch = output_gradient.len() / shape.image_out() * pixels;
    scratch::with(Use::Columns, depth * pitch, |columns| {
        for (index, image) in x.chunks_exact(shape.image_in()).enumerate() {
            gather(
                shape,
                &image[planes.clone()],
                0..shape.out_height,
                columns,
                pitch,
                index * pixels,
            );
        }
        scratch::with(Use::Gathered, shape.channels_out * pitch, |gathered| {
            interleave(output_gradient, shape.channels_out, pixels, gathered);
            multiply(
                [depth, shape.channels_out, pitch],
                (sum, Strides::rows(shape.channels_out)),
                (columns, Strides::rows(pitch)),
                (gathered, Strides::columns(pitch)),
                started,
            );
        });
    });
}

/// Adds the partial sums [C_in·k², C_out] in the order of their chunks and turns the total into [C_out, C_in·k²].
fn reduce(shape: &ConvShape, partial: &[f32], gradient: &mut [f32]) {
    let depth = shape.depth();
    gradient
        .par_chunks_mut(LANES * depth)
        .enumerate()
        .for_each(|(group, gradient)| {
            let lanes = gradient.len() / depth;
            for row in 0..depth {
                let mut total = [0.0f32; LANES];
                for chunk in partial.chunks_exact(shape.weights()) {
                    let addends = &chunk[row * shape.channels_out + group * LANES..][..lanes];
                    total
                        .iter_mut()
                        .zip(addends)
                        .for_each(|(total, addend)| *total += addend);
                }
                for (lane, total) in total[..lanes].iter().enumerate() {
                    gradient[lane * depth + row] = *total;
                }
            }
        });
}
