//! Max pooling of feature maps: first down the columns, then along the row, both with positions in the window.
//!
//! Among equal values the first in row-major order wins. NaN counts as larger than every number, as in torch.

use std::mem::MaybeUninit;

use barlow_simd::{Simd, WithSimd};

use crate::pool::Window;

/// Largest supported window size: its positions are less than 255, which stands for no position (`NONE`).
pub(super) const LARGEST_SIZE: usize = 15;
/// A position in the padding. Sums with it also are at least this value.
const NONE: u32 = 255;
/// Floats of the longest SIMD vector.
const LONGEST: usize = 16;

/// The dimensions of one map and its output.
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

/// Computes the maxima of whole maps and their positions (row in the window · window size + column); writes every element.
pub(super) struct MaxForward<'a> {
    pub(super) plane: Plane,
    pub(super) x: &'a [f32],
    pub(super) y: &'a mut [MaybeUninit<f32>],
    pub(super) places: &'a mut [MaybeUninit<u8>],
}

impl WithSimd for MaxForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plane, x, y, places } = self;
        let (pixels, out_pixels) = (plane.height * plane.width, plane.out_height * plane.out_width);
        let mut scratch = MaxScratch::new(plane);
        let outputs = y.chunks_exact_mut(out_pixels).zip(places.chunks_exact_mut(out_pixels));
        for (x, (y, places)) in x.chunks_exact(pixels).zip(outputs) {
            let rows = y
                .chunks_exact_mut(plane.out_width)
                .zip(places.chunks_exact_mut(plane.out_width));
            for (row, (y, places)) in rows.enumerate() {
                scratch.reduce_columns(simd, plane, x, row);
                // The window of ResNets, with a stride known at compile time.
                match plane.stride {
                    2 => scratch.deal(plane, 2),
                    stride => scratch.deal(plane, stride),
                }
                scratch.reduce_row(simd, plane);
                for (y, best) in y.iter_mut().zip(&scratch.out.best) {
                    y.write(*best);
                }
                for (to, place) in places.iter_mut().zip(&scratch.out.place) {
                    to.write(*place as u8);
                }
            }
        }
    }
}

/// The largest values so far and their positions, padded so that loops process whole vectors.
struct Maxima {
    best: Vec<f32>,
    place: Vec<u32>,
}

impl Maxima {
    fn none(len: usize) -> Self {
        Self {
            best: vec![f32::NEG_INFINITY; len],
            place: vec![NONE; len],
        }
    }
}

/// Scratch memory for a row of outputs.
struct MaxScratch {
    /// The rows of the map under the window.
    rows: Vec<f32>,
    /// The maxima of the columns.
    columns: Maxima,
    /// The same including the padding, in one set for each column mod stride, so that consecutive outputs read adjacent values.
    dealt: Vec<Maxima>,
    out: Maxima,
}

impl MaxScratch {
    fn new(plane: Plane) -> Self {
        let whole = |len: usize| len.next_multiple_of(LONGEST);
        let (width, out_width) = (whole(plane.width), whole(plane.out_width));
        let reach = whole(plane.width + 2 * plane.padding).div_ceil(plane.stride) + out_width + plane.size;
        Self {
            rows: vec![0.0; plane.size * width],
            columns: Maxima::none(width),
            dealt: (0..plane.stride).map(|_| Maxima::none(reach)).collect(),
            out: Maxima::none(out_width),
        }
    }

    /// Computes the maxima of the columns under the windows of a row of outputs.
    #[inline(always)]
    fn reduce_columns<S: Simd>(&mut self, simd: S, plane: Plane, x: &[f32], row: usize) {
        let Self { rows, columns, .. } = self;
        let (width, whole, top) = (plane.width, columns.best.len(), row * plane.stride);
        let first = plane.padding.saturating_sub(top);
        let last = plane.size.min(plane.height + plane.padding - top);
        for ky in first..last {
            let y = top + ky - plane.padding;
            rows[ky * whole..][..width].copy_from_slice(&x[y * width..][..width]);
        }
        // For each vector of columns, all rows are processed before the one store at the end, because masked stores are slow.
        for at in (0..whole).step_by(S::F32_LANES) {
            let mut best = load_f32s::<S>(rows, first * whole + at);
            let mut place = simd.splat_u32s((first * plane.size) as u32);
            for ky in first + 1..last {
                let value = load_f32s::<S>(rows, ky * whole + at);
                let takes = simd.or_m32s(simd.greater_than_f32s(value, best), is_nan(simd, value));
                best = simd.select_f32s(takes, value, best);
                place = simd.select_u32s(takes, simd.splat_u32s((ky * plane.size) as u32), place);
            }
            S::as_mut_simd_f32s(&mut columns.best[at..][..S::F32_LANES]).0[0] = best;
            S::as_mut_simd_u32s(&mut columns.place[at..][..S::F32_LANES]).0[0] = place;
        }
    }

    /// Distributes the columns over the sets of `dealt`.
    #[inline(always)]
    fn deal(&mut self, plane: Plane, stride: usize) {
        for (phase, set) in self.dealt.iter_mut().enumerate() {
            // The set's first column that is not padding, and its index in the set.
            let index = plane.padding.saturating_sub(phase).div_ceil(stride);
            let start = (index * stride + phase - plane.padding).min(plane.width);
            let best = self.columns.best[start..plane.width].iter().step_by(stride);
            set.best[index..]
                .iter_mut()
                .zip(best)
                .for_each(|(to, from)| *to = *from);
            let place = self.columns.place[start..plane.width].iter().step_by(stride);
            set.place[index..]
                .iter_mut()
                .zip(place)
                .for_each(|(to, from)| *to = *from);
        }
    }

    /// Computes the maxima of the windows.
    #[inline(always)]
    fn reduce_row<S: Simd>(&mut self, simd: S, plane: Plane) {
        let Self { dealt, out, .. } = self;
        for at in (0..out.best.len()).step_by(S::F32_LANES) {
            let mut best = simd.splat_f32s(f32::NEG_INFINITY);
            let mut place = simd.splat_u32s(NONE);
            let (mut phase, mut moved) = (0, 0);
            for kx in 0..plane.size {
                let value = load_f32s::<S>(&dealt[phase].best, moved + at);
                let from = S::as_simd_u32s(&dealt[phase].place[moved + at..][..S::F32_LANES]).0[0];
                // In the padding this is at least `NONE`.
                let here = simd.add_u32s(from, simd.splat_u32s(kx as u32));
                let is_more = simd.or_m32s(simd.greater_than_f32s(value, best), is_nan(simd, value));
                let is_first = simd.and_m32s(simd.equal_f32s(value, best), simd.less_than_u32s(here, place));
                let takes = simd.or_m32s(is_more, is_first);
                best = simd.select_f32s(takes, value, best);
                place = simd.select_u32s(takes, here, place);
                phase += 1;
                if phase == plane.stride {
                    (phase, moved) = (0, moved + 1);
                }
            }
            S::as_mut_simd_f32s(&mut out.best[at..][..S::F32_LANES]).0[0] = best;
            S::as_mut_simd_u32s(&mut out.place[at..][..S::F32_LANES]).0[0] = place;
        }
    }
}

#[inline(always)]
fn load_f32s<S: Simd>(floats: &[f32], at: usize) -> S::f32s {
    S::as_simd_f32s(&floats[at..][..S::F32_LANES]).0[0]
}

#[inline(always)]
fn is_nan<S: Simd>(simd: S, value: S::f32s) -> S::m32s {
    let zero = simd.splat_f32s(0.0);
    simd.xor_m32s(simd.equal_f32s(value, value), simd.equal_f32s(zero, zero))
}

/// Computes the gradients of whole maps from the gradients and positions of the maxima; writes every value.
pub(super) struct MaxBackward<'a> {
    pub(super) plane: Plane,
    pub(super) dy: &'a [f32],
    pub(super) places: &'a [u8],
    pub(super) dx: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for MaxBackward<'_> {
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
        // Distance in the map between a position and the window's corner.
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
                    // The corner may be in the padding, but the position is not.
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
