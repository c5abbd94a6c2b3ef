//! The transforms of Winograd's F(2×2, 3×3), channels side by side: Bᵀ d B, G g Gᵀ and Aᵀ m A of Lavin and Gray 2016.

// Closures over vectors, as `array::map` wants them, are compiled without the vectors' instructions: indices it is.
#![expect(clippy::needless_range_loop)]

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::ops::cpu::simd::Level;

use super::weigh::{load, store};

/// Points of a square.
pub(super) const POINTS: usize = 16;

/// Patches of 4 × 4 pixels to points.
pub(super) struct ToPoints<'a> {
    /// [2 · rows + 2][2 · columns + 2][channel of the block]
    pub packed: &'a [f32],
    /// Squares of a row.
    pub columns: usize,
    /// Rows of squares.
    pub rows: usize,
    /// Channels of a block.
    pub block: usize,
    /// Floats from a point to the next.
    pub point_floats: usize,
    /// [square][channel of the block] for each point.
    pub points: &'a mut [f32],
}

impl WithSimd for ToPoints<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            packed,
            columns,
            rows,
            block,
            point_floats,
            points,
        } = self;
        let pitch = (2 * columns + 2) * block;
        assert!((2 * rows + 2) * pitch <= packed.len() && block % S::F32_LANES == 0);
        assert!((POINTS - 1) * point_floats + rows * columns * block <= points.len());
        for square in 0..rows * columns {
            let corner = (2 * (square / columns)) * pitch + 2 * (square % columns) * block;
            for lane in (0..block).step_by(S::F32_LANES) {
                // SAFETY: the patch lies inside `packed` and the square inside every point (asserted).
                unsafe {
                    let at = packed.as_ptr().add(corner + lane);
                    let to = points.as_mut_ptr().add(square * block + lane);
                    let mut half = [[simd.splat_f32s(0.0); 4]; 4];
                    for column in 0..4 {
                        let mut patch = [simd.splat_f32s(0.0); 4];
                        for (row, value) in patch.iter_mut().enumerate() {
                            *value = load::<S>(at.add(row * pitch + column * block));
                        }
                        let [a, b, c, d] = input(simd, patch);
                        (half[0][column], half[1][column], half[2][column], half[3][column]) = (a, b, c, d);
                    }
                    for (row, half) in half.into_iter().enumerate() {
                        for (column, value) in input(simd, half).into_iter().enumerate() {
                            store::<S>(to.add((4 * row + column) * point_floats), value);
                        }
                    }
                }
            }
        }
    }
}

/// Bᵀ d
#[inline(always)]
fn input<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    [
        simd.sub_f32s(a, c),
        simd.add_f32s(b, c),
        simd.sub_f32s(c, b),
        simd.sub_f32s(b, d),
    ]
}

/// Points to squares of 2 × 2 pixels.
pub(super) struct FromPoints<'a> {
    /// [point][square][output channel of the tile]
    pub product: &'a [f32],
    /// Floats from a point to the next.
    pub point_floats: usize,
    /// Squares of a row.
    pub columns: usize,
    /// Rows of squares.
    pub rows: usize,
    /// Output channels of a tile.
    pub width: usize,
    /// [2 · rows][2 · columns][output channel of the tile]
    pub out: &'a mut [f32],
}

impl WithSimd for FromPoints<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            product,
            point_floats,
            columns,
            rows,
            width,
            out,
        } = self;
        let pitch = 2 * columns * width;
        assert!((POINTS - 1) * point_floats + rows * columns * width <= product.len());
        assert!(2 * rows * pitch <= out.len() && width % S::F32_LANES == 0);
        for square in 0..rows * columns {
            let corner = (2 * (square / columns)) * pitch + 2 * (square % columns) * width;
            for lane in (0..width).step_by(S::F32_LANES) {
                // SAFETY: the square lies inside every point and inside `out` (asserted).
                unsafe {
                    let from = product.as_ptr().add(square * width + lane);
                    let to = out.as_mut_ptr().add(corner + lane);
                    let mut half = [[simd.splat_f32s(0.0); 4]; 2];
                    for column in 0..4 {
                        let mut sums = [simd.splat_f32s(0.0); 4];
                        for (row, value) in sums.iter_mut().enumerate() {
                            *value = load::<S>(from.add((4 * row + column) * point_floats));
                        }
                        let [a, b] = output(simd, sums);
                        (half[0][column], half[1][column]) = (a, b);
                    }
                    for (row, half) in half.into_iter().enumerate() {
                        for (column, value) in output(simd, half).into_iter().enumerate() {
                            store::<S>(to.add(row * pitch + column * width), value);
                        }
                    }
                }
            }
        }
    }
}

/// Aᵀ m
#[inline(always)]
fn output<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
    let sum = simd.add_f32s(simd.add_f32s(a, b), c);
    [sum, simd.sub_f32s(simd.sub_f32s(b, c), d)]
}

/// Weights [tile][tap][input][output of the tile] to [tile][point][input][output of the tile]; `mirrored` where the first
/// tap reads the last pixel, as in an input gradient.
pub(super) fn transformed_weights(
    level: Level,
    weights: &[f32],
    inputs: usize,
    width: usize,
    mirrored: bool,
    points: &mut [f32],
) {
    const TAPS: usize = 9;
    let row = inputs * width;
    assert_eq!(points.len(), weights.len() / TAPS * POINTS);
    let tiles = points
        .par_chunks_exact_mut(POINTS * row)
        .zip(weights.par_chunks_exact(TAPS * row));
    tiles.for_each(|(points, weights)| {
        level.run(Weights {
            weights,
            row,
            mirrored,
            points,
        })
    });
}

struct Weights<'a> {
    weights: &'a [f32],
    row: usize,
    mirrored: bool,
    points: &'a mut [f32],
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            weights,
            row,
            mirrored,
            points,
        } = self;
        // G g: 1 0 0, ½ ½ ½, ½ −½ ½, 0 0 1
        let spread = |[a, b, c]: [f32; 3]| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
        for index in 0..row {
            let g = |tap: usize| weights[if mirrored { 8 - tap } else { tap } * row + index];
            let mut half = [[0.0; 3]; 4];
            for column in 0..3 {
                let [a, b, c, d] = spread([g(column), g(3 + column), g(6 + column)]);
                (half[0][column], half[1][column], half[2][column], half[3][column]) = (a, b, c, d);
            }
            for (y, half) in half.into_iter().enumerate() {
                for (x, value) in spread(half).into_iter().enumerate() {
                    points[(4 * y + x) * row + index] = value;
                }
            }
        }
    }
}
