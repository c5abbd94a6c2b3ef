//! SIMD kernel of a matrix product whose right operand are the pixels of feature maps: tiles of output channels by panels of
//! positions, which lie side by side in the vectors as they do in the planes of a tensor, so that nothing is transposed.

use std::ops::Range;

use barlow_simd::{Level, Simd, WithSimd, prefetch};

use super::correlation::ConvOutput;
use super::tiles::{even_cuts, with_constant};
use super::vectors::{load, store};

/// Output channels per tile and positions per panel: as many sums as there are registers for them. Eight channels, because layers
/// have multiples of eight, which are also packed fastest.
pub(super) fn tile_size(level: Level) -> [usize; 2] {
    match level.lanes() {
        16 => [8, 48],
        8 => [6, 16],
        4 => [6, 16],
        _ => [2, 16],
    }
}

/// Positions of a panel with `filled` pixels in memory: whole vectors.
pub(super) fn panel_width(level: Level, filled: usize) -> usize {
    match level.lanes() {
        lanes @ 8.. => filled.next_multiple_of(lanes),
        _ => tile_size(level)[1],
    }
}

/// The tiles of `channels` output channels.
pub(super) fn tiles(level: Level, channels: usize) -> Vec<Range<usize>> {
    even_cuts(channels, tile_size(level)[0]).collect()
}

/// A grid of pixels in the planes of a tensor [N, C, H, W]: every `stride`-th one.
#[derive(Clone, Copy, Debug)]
pub(super) struct PixelGrid {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub stride: usize,
}

impl PixelGrid {
    /// Floats per channel.
    pub fn plane(&self) -> usize {
        self.height * self.width
    }

    /// The offset of a pixel of channel 0.
    fn offset(&self, segment: &Segment) -> usize {
        segment.image * self.channels * self.plane()
            + segment.row * self.stride * self.width
            + segment.column * self.stride
    }
}

/// Neighbouring positions of a panel that are neighbours in a row of both grids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// First position, counted from the start of its panel.
    pub start: usize,
    pub len: usize,
    pub image: usize,
    pub row: usize,
    pub column: usize,
}

/// Floats from one panel to the next: one row more than needed. Panels that are a power of two apart, which the rows of a channel
/// are written to in turn, would compete for a few sets of the L1 cache.
pub(super) fn panel_pitch(depth: usize, positions: usize) -> usize {
    (depth + 1) * positions
}

/// Copies pixels into panels, [panel][channel][position], with zeros after the last position.
pub(super) struct PackPanels<'a> {
    pub x: &'a [f32],
    pub grid: PixelGrid,
    /// Of each panel.
    pub segments: &'a [Vec<Segment>],
    /// Positions per panel.
    pub positions: usize,
    /// Positions of each panel in memory: `positions`, or fewer in the last panel.
    pub widths: &'a [usize],
    pub panels: &'a mut [f32],
}

impl WithSimd for PackPanels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            x,
            grid,
            segments,
            positions,
            widths,
            panels,
        } = self;
        let pitch = panel_pitch(grid.channels, positions);
        assert!(segments.len() * pitch <= panels.len());
        let plane = grid.plane();
        for ((panel, segments), width) in panels.chunks_exact_mut(pitch).zip(segments).zip(widths) {
            let filled = segments.last().map_or(0, |last| last.start + last.len);
            if filled < *width {
                panel.fill(0.0);
            }
        }
        // Channel by channel: the pixels of all panels are neighbours there.
        for channel in 0..grid.channels {
            for (index, (segments, width)) in segments.iter().zip(widths).enumerate() {
                let row = &mut panels[index * pitch + channel * width..][..*width];
                for segment in segments {
                    let from = &x[grid.offset(segment) + channel * plane..];
                    let to = &mut row[segment.start..segment.start + segment.len];
                    prefetch(from.as_ptr().wrapping_add(plane), to.len() * grid.stride);
                    match grid.stride {
                        1 => copy::<S>(simd, &from[..to.len()], to),
                        2 => every_second(from, to),
                        stride => {
                            for (index, to) in to.iter_mut().enumerate() {
                                *to = from[index * stride];
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The product of some tiles of weights and all panels of a task, written to the planes of the output.
pub(super) struct PanelProduct<'a> {
    /// [tile][input channel][output channel of the tile], of all tiles.
    pub weights: &'a [f32],
    /// Input channels.
    pub depth: usize,
    pub tiles: &'a [Range<usize>],
    /// [panel][input channel][position]
    pub panels: &'a [f32],
    pub positions: usize,
    pub widths: &'a [usize],
    pub segments: &'a [Vec<Segment>],
    pub grid: PixelGrid,
    pub output: ConvOutput<'a>,
}

impl WithSimd for PanelProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.tiles::<S, 8, 3>(simd),
            8 => self.tiles::<S, 6, 2>(simd),
            4 => self.tiles::<S, 6, 4>(simd),
            _ => self.tiles::<S, 2, 16>(simd),
        }
    }
}

/// Floats of the largest tile.
const TILE_FLOATS: usize = 8 * 48;

impl PanelProduct<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const MOST: usize, const V: usize>(self, simd: S) {
        let (depth, positions) = (self.depth, self.positions);
        assert!(positions == V * S::F32_LANES && MOST * positions <= TILE_FLOATS);
        let pitch = panel_pitch(depth, positions);
        assert!(self.segments.len() * pitch <= self.panels.len());
        let mut product = [0.0f32; TILE_FLOATS];
        for tile in self.tiles {
            let weights = &self.weights[tile.start * depth..tile.end * depth];
            let panels = self.panels.chunks_exact(pitch).zip(self.segments);
            for ((panel, segments), width) in panels.zip(self.widths) {
                let vectors = width / S::F32_LANES;
                let product = &mut product[..tile.len() * width];
                // Fewer vectors occur only with vectors of eight floats and more, of which there are at most three.
                if vectors == V {
                    multiply_tile::<S, MOST, V>(simd, depth, weights, panel, product);
                } else if vectors == 2 {
                    multiply_tile::<S, MOST, 2>(simd, depth, weights, panel, product);
                } else {
                    assert_eq!(vectors, 1, "vectors of a panel");
                    multiply_tile::<S, MOST, 1>(simd, depth, weights, panel, product);
                }
                for (row, channel) in tile.clone().enumerate() {
                    let row = &product[row * width..][..*width];
                    for segment in segments {
                        // SAFETY: no other task writes these positions of this channel.
                        unsafe { self.write(simd, &row[segment.start..][..segment.len], channel, segment) };
                    }
                }
            }
        }
    }

    /// Writes the positions of a segment, and zeros to the pixels up to the next row and column of the grid.
    ///
    /// # Safety
    /// No other task may write these pixels.
    #[inline(always)]
    unsafe fn write<S: Simd>(&self, simd: S, from: &[f32], channel: usize, segment: &Segment) {
        let (grid, plane) = (&self.grid, self.grid.plane());
        let start = grid.offset(segment) + channel * plane;
        if grid.stride == 1 {
            // SAFETY: in bounds (checked by `at`), and only this task writes these floats, which are initialised if they are added to.
            unsafe {
                let to = self.output.floats.at(start, start + from.len());
                write_row::<S>(simd, from, to, self.output.adds);
            }
            return;
        }
        let rows = grid.stride.min(grid.height - segment.row * grid.stride);
        let columns = (from.len() * grid.stride).min(grid.width - segment.column * grid.stride);
        // SAFETY: as above.
        let to = unsafe { self.output.floats.at(start, start + (rows - 1) * grid.width + columns) };
        if !self.output.adds {
            for row in 0..rows {
                // SAFETY: inside the range that `at` has checked.
                unsafe { to.add(row * grid.width).write_bytes(0, columns) };
            }
        }
        for (index, value) in from.iter().enumerate() {
            // SAFETY: the last position is inside the row, and every float is initialised: by the caller or just now.
            unsafe { *to.add(index * grid.stride) += value };
        }
    }
}

/// Its own loop, because the compiler makes shuffles of it.
#[inline(always)]
fn every_second(from: &[f32], to: &mut [f32]) {
    let Some((last, to)) = to.split_last_mut() else {
        return;
    };
    let pairs = from[..2 * to.len() + 1].as_chunks::<2>().0;
    for (to, [from, _]) in to.iter_mut().zip(pairs) {
        *to = *from;
    }
    *last = from[2 * to.len()];
}

#[inline(always)]
fn copy<S: Simd>(simd: S, from: &[f32], to: &mut [f32]) {
    let (from, from_rest) = S::as_simd_f32s(from);
    let (to, to_rest) = S::as_mut_simd_f32s(to);
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    if !from_rest.is_empty() {
        simd.partial_store_f32s(to_rest, simd.partial_load_f32s(from_rest));
    }
}

/// Writes `from` to the floats at `to`, or adds it.
///
/// # Safety
/// As many floats at `to` must be valid for writes, and for reads if `adds`.
#[inline(always)]
unsafe fn write_row<S: Simd>(simd: S, from: &[f32], to: *mut f32, adds: bool) {
    let (vectors, rest) = S::as_simd_f32s(from);
    // SAFETY: guaranteed by the caller.
    unsafe {
        for (index, vector) in vectors.iter().enumerate() {
            let to = to.add(index * S::F32_LANES);
            let vector = if adds {
                simd.add_f32s(*vector, load::<S>(to))
            } else {
                *vector
            };
            store::<S>(to, vector);
        }
        let to = to.add(vectors.len() * S::F32_LANES);
        for (index, value) in rest.iter().enumerate() {
            let to = to.add(index);
            to.write(if adds { *value + *to } else { *value });
        }
    }
}

/// product [channels of the tile, V vectors] = weights [depth, channels]ᵀ · panel [depth, V vectors].
#[inline(always)]
fn multiply_tile<S: Simd, const MOST: usize, const V: usize>(
    simd: S,
    depth: usize,
    weights: &[f32],
    panel: &[f32],
    product: &mut [f32],
) {
    let positions = V * S::F32_LANES;
    let channels = product.len() / positions;
    assert!(weights.len() >= depth * channels && panel.len() >= depth * positions);
    let operands = (weights.as_ptr(), panel.as_ptr());
    // SAFETY: the operands hold all rows (asserted), and `product` has this length.
    unsafe {
        with_constant!(
            channels,
            MOST,
            multiply::<S, _, V>(simd, depth, operands, product.as_mut_ptr())
        )
    }
}

/// product [R, V vectors] = weights [depth, R]ᵀ · panel [depth, V vectors].
///
/// # Safety
/// All three matrices must be valid.
#[inline(always)]
unsafe fn multiply<S: Simd, const R: usize, const V: usize>(
    simd: S,
    depth: usize,
    (mut weights, mut panel): (*const f32, *const f32),
    product: *mut f32,
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    // SAFETY: guaranteed by the caller, for every pointer below.
    unsafe {
        for _ in 0..depth {
            let mut vectors = [simd.splat_f32s(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = load::<S>(panel.add(v * S::F32_LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let weight = simd.splat_f32s(*weights.add(r));
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = simd.mul_add_e_f32s(weight, vector, *sum);
                }
            }
            weights = weights.add(R);
            panel = panel.add(V * S::F32_LANES);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                store::<S>(product.add((r * V + v) * S::F32_LANES), sum);
            }
        }
    }
}
