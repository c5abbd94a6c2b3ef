//! The transforms of Winograd's F(2×2, 3×3) on adjacent channels: Bᵀ d B, G g Gᵀ and Aᵀ m A of Lavin and Gray 2016.

// Indexed loops, because closures over vectors (`array::map`) would be compiled without the level's instructions.
#![expect(clippy::needless_range_loop)]

use barlow_simd::{Level, Simd, WithSimd};
use rayon::prelude::*;

use super::vectors::{load, store};

/// Points per square of 2 × 2 outputs.
pub(super) const SQUARE_POINTS: usize = 16;

/// Transforms patches of 4 × 4 pixels into points.
pub(super) struct ToPoints<'a> {
    /// [2 · rows + 2][2 · columns + 2][channel of the block]
    pub packed: &'a [f32],
    /// Squares per row.
    pub columns: usize,
    /// Rows of squares.
    pub rows: usize,
    /// Channels per block.
    pub block: usize,
    /// Distance between points, in floats.
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
        assert!((SQUARE_POINTS - 1) * point_floats + rows * columns * block <= points.len());
        for square in 0..rows * columns {
            let corner = (2 * (square / columns)) * pitch + 2 * (square % columns) * block;
            for lane in (0..block).step_by(S::F32_LANES) {
                // SAFETY: the patch is inside `packed` and the square inside every point (asserted).
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

/// Transforms points into squares of 2 × 2 pixels.
pub(super) struct FromPoints<'a> {
    /// [point][square][output channel of the tile]
    pub product: &'a [f32],
    /// Distance between points, in floats.
    pub point_floats: usize,
    /// Squares per row.
    pub columns: usize,
    /// Rows of squares.
    pub rows: usize,
    /// Output channels per tile.
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
        assert!((SQUARE_POINTS - 1) * point_floats + rows * columns * width <= product.len());
        assert!(2 * rows * pitch <= out.len() && width % S::F32_LANES == 0);
        for square in 0..rows * columns {
            let corner = (2 * (square / columns)) * pitch + 2 * (square % columns) * width;
            for lane in (0..width).step_by(S::F32_LANES) {
                // SAFETY: the square is inside every point and inside `out` (asserted).
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

/// Transforms weights [tile][tap][input][output of the tile] into [tile][point][input][output of the tile]; `mirrored` if the
/// first tap reads the last pixel, as in an input gradient.
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
    assert_eq!(points.len(), weights.len() / TAPS * SQUARE_POINTS);
    let tiles = points
        .par_chunks_exact_mut(SQUARE_POINTS * row)
        .zip(weights.par_chunks_exact(TAPS * row));
    tiles.for_each(|(points, weights)| {
        level.run(WeightTransform {
            weights,
            row,
            mirrored,
            points,
        })
    });
}

/// The transform of one tile's weights.
pub(super) struct WeightTransform<'a> {
    /// [tap][input][output of the tile]
    pub weights: &'a [f32],
    /// Floats per tap.
    pub row: usize,
    pub mirrored: bool,
    /// [point][input][output of the tile]
    pub points: &'a mut [f32],
}

impl WithSimd for WeightTransform<'_> {
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
