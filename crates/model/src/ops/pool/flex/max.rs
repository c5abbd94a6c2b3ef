//! Max pooling of maps, down the columns first and then along the row, each with the place in the window.
//!
//! Of equal values the first in reading order counts; what is not a number counts before all numbers, as in torch.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::Window;

/// The places in a window of this size are less than 255, which stands for none.
pub(super) const LARGEST_SIZE: usize = 15;
/// A place in the padding.
const NONE: u32 = 255;

/// The numbers of one map.
#[derive(Clone, Copy)]
pub(super) struct Plane {
    height: usize,
    width: usize,
    pub(super) out_height: usize,
    pub(super) out_width: usize,
    size: usize,
    stride: usize,
    padding: usize,
}

impl Plane {
    /// # Panics
    /// If the window is larger than the padded map.
    pub(super) fn new([height, width]: [usize; 2], window: Window) -> Self {
        let Window { size, geometry } = window;
        Self {
            height,
            width,
            out_height: geometry.output_size(height, size),
            out_width: geometry.output_size(width, size),
            size,
            stride: geometry.stride,
            padding: geometry.padding,
        }
    }
}

/// Maxima and their places (row in the window times its size, plus column) of whole maps; writes every one.
pub(super) struct Forward<'a> {
    pub(super) plane: Plane,
    pub(super) x: &'a [f32],
    pub(super) y: &'a mut [MaybeUninit<f32>],
    pub(super) places: &'a mut [MaybeUninit<u8>],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // The window of ResNets, whose numbers the compiler is told.
        if (self.plane.size, self.plane.stride) == (3, 2) {
            self.with_window(3, 2);
        } else {
            let (size, stride) = (self.plane.size, self.plane.stride);
            self.with_window(size, stride);
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn with_window(self, size: usize, stride: usize) {
        let Self { plane, x, y, places } = self;
        let Plane {
            height,
            width,
            out_height,
            out_width,
            padding,
            ..
        } = plane;
        // The columns' maxima and their places, with the padding around.
        let columns = (out_width - 1) * stride + size;
        let columns = columns.max(width + 2 * padding);
        let mut best = vec![f32::NEG_INFINITY; columns];
        let mut place = vec![NONE; columns];
        let (mut row_best, mut row_place) = (vec![0.0f32; out_width], vec![0u32; out_width]);
        let outputs = y
            .chunks_exact_mut(out_height * out_width)
            .zip(places.chunks_exact_mut(out_height * out_width));
        for (x, (y, places)) in x.chunks_exact(height * width).zip(outputs) {
            let rows = y.chunks_exact_mut(out_width).zip(places.chunks_exact_mut(out_width));
            for (row, (y, places)) in rows.enumerate() {
                let top = row * stride;
                let (best_inside, place_inside) = (
                    &mut best[padding..padding + width],
                    &mut place[padding..padding + width],
                );
                place_inside.fill(NONE);
                best_inside.fill(f32::NEG_INFINITY);
                for ky in 0..size {
                    let Some(y) = (top + ky).checked_sub(padding).filter(|&y| y < height) else {
                        continue;
                    };
                    take_row(best_inside, place_inside, &x[y * width..][..width], (ky * size) as u32);
                }
                row_best.fill(f32::NEG_INFINITY);
                row_place.fill(NONE);
                for kx in 0..size {
                    take_columns(
                        &mut row_best,
                        &mut row_place,
                        &best[kx..],
                        &place[kx..],
                        stride,
                        kx as u32,
                    );
                }
                for (y, best) in y.iter_mut().zip(&row_best) {
                    y.write(*best);
                }
                for (to, place) in places.iter_mut().zip(&row_place) {
                    to.write(*place as u8);
                }
            }
        }
    }
}

/// Takes what of a row is larger than all before it.
#[inline(always)]
fn take_row(best: &mut [f32], place: &mut [u32], row: &[f32], here: u32) {
    for ((best, place), &value) in best.iter_mut().zip(place).zip(row) {
        let takes = (value > *best) | value.is_nan() | (*place == NONE);
        *best = if takes { value } else { *best };
        *place = if takes { here } else { *place };
    }
}

/// Takes, of every `stride`-th column, what is larger than all before it, or as large and further up.
#[inline(always)]
fn take_columns(best: &mut [f32], place: &mut [u32], columns: &[f32], places: &[u32], stride: usize, kx: u32) {
    let len = best.len();
    let (place, reach) = (&mut place[..len], (len - 1) * stride + 1);
    let (columns, places) = (&columns[..reach], &places[..reach]);
    for i in 0..len {
        let (value, from) = (columns[i * stride], places[i * stride]);
        // None stays none, and comes after all others.
        let here = if from == NONE { NONE } else { from + kx };
        let takes = (value > best[i]) | value.is_nan() | ((value == best[i]) & (here < place[i]));
        best[i] = if takes { value } else { best[i] };
        place[i] = if takes { here } else { place[i] };
    }
}

/// The gradients of whole maps, from those of the maxima and the places; writes every value.
pub(super) struct Backward<'a> {
    pub(super) plane: Plane,
    pub(super) dy: &'a [f32],
    pub(super) places: &'a [u8],
    pub(super) dx: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { plane, dy, places, dx } = self;
        let Plane {
            height,
            width,
            out_height,
            out_width,
            size,
            stride,
            padding,
        } = plane;
        // How far in the map a place lies from the window's corner.
        let offsets: Vec<usize> = (0..size * size)
            .map(|place| place / size * width + place % size)
            .collect();
        let mut map = vec![0.0f32; height * width];
        let operands = dy
            .chunks_exact(out_height * out_width)
            .zip(places.chunks_exact(out_height * out_width));
        for (dx, (dy, places)) in dx.chunks_exact_mut(height * width).zip(operands) {
            map.fill(0.0);
            let rows = dy.chunks_exact(out_width).zip(places.chunks_exact(out_width));
            for (row, (dy, places)) in rows.enumerate() {
                let mut corner = row * stride * width;
                for (&dy, &place) in dy.iter().zip(places) {
                    // The corner may lie in the padding, the place does not.
                    map[corner + offsets[place as usize] - padding * width - padding] += dy;
                    corner += stride;
                }
            }
            for (dx, value) in dx.iter_mut().zip(&map) {
                dx.write(*value);
            }
        }
    }
}
