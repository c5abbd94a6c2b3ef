//! One pass over the rows of a linear classifier: the loss, and its gradient with respect to weights and biases.
//!
//! Scores and gradients are matrix products, in f32 or f64; sums over more than 512 rows are f64. The order of every sum depends
//! on the sizes alone, not on the number of threads. This file must not know what the loss is.

use crate::EvalError;
use crate::input::{BlockScratch, Input, STRIP};
use crate::product::{Float, Matrix, multiply};
use rayon::prelude::*;
use std::ops::Range;

/// A loss of scores.
pub(crate) trait Loss: Sync {
    /// Replaces the scores of `rows`, `[rows.len(), columns]`, by the derivatives of the loss, and adds the loss to `sums`.
    fn derive<T: Float>(&self, rows: Range<usize>, scores: &mut [T], sums: &mut [f64]);

    /// Number of sums: one for all columns, or one a column.
    fn sums(&self) -> usize;
}

/// A loss and its gradient, summed over all rows.
pub(crate) struct Gradient {
    /// [`Loss::sums`] values.
    pub losses: Vec<f64>,
    /// `[columns, width]`.
    pub weight: Vec<f64>,
    /// `[columns]`.
    pub bias: Vec<f64>,
}

/// Rows and columns of a tile of the gradient, which one thread sums.
const TILE: [usize; 2] = [128, 64];

/// Rows of a product whose result is added to f64.
const DEPTH: usize = 512;

/// A linear classifier: weights `[columns, width]` and biases `[columns]`.
#[derive(Clone, Copy)]
pub(crate) struct Linear<'a> {
    pub weight: &'a [f64],
    pub bias: &'a [f64],
}

/// Calls `visit` with the scores of every strip of rows, `[rows, columns]`, and returns its results in the order of the rows.
pub(crate) fn scores<T: Float, R: Send>(
    classifier: Linear,
    first: usize,
    block: &[T],
    out: &mut Vec<T>,
    visit: impl Fn(Range<usize>, &mut [T]) -> R + Sync,
) -> Vec<R> {
    let columns = classifier.bias.len();
    let width = classifier.weight.len() / columns;
    let weight: Vec<T> = classifier.weight.iter().map(|&w| T::of(w)).collect();
    let count = block.len() / width;
    out.resize(count * columns, T::default());
    block
        .par_chunks(STRIP * width)
        .zip(out.par_chunks_mut(STRIP * columns))
        .enumerate()
        .map(|(strip, (block, out))| {
            let rows = block.len() / width;
            multiply(
                [rows, columns, width],
                out,
                Matrix::rows(block, width),
                Matrix::columns(&weight, width),
            );
            for scores in out.chunks_exact_mut(columns) {
                let biased = scores.iter_mut().zip(classifier.bias);
                biased.for_each(|(score, bias)| *score = T::of(score.to_f64() + bias));
            }
            let start = first + strip * STRIP;
            visit(start..start + rows, out)
        })
        .collect()
}

/// Memory that passes share.
#[derive(Default)]
pub(crate) struct Workspace<T> {
    scratch: BlockScratch,
    converted: Vec<T>,
    errors: Vec<T>,
}

/// The loss of all rows and its gradient, by products in `T`. `after` is called after every block with the number of rows done.
pub(crate) fn gradient<T: Float>(
    input: &Input,
    classifier: Linear,
    loss: &impl Loss,
    workspace: &mut Workspace<T>,
    mut after: impl FnMut(usize) -> Result<(), EvalError>,
) -> Result<Gradient, EvalError> {
    let (columns, width) = (classifier.bias.len(), input.width());
    let mut losses = vec![0.0; loss.sums()];
    let mut bias = vec![0.0; columns];
    let mut tiles = Tile::all(columns, width);
    let Workspace {
        scratch,
        converted,
        errors,
    } = workspace;
    for range in input.blocks(columns) {
        let block = T::convert(input.block(range.clone(), scratch)?, converted);
        let strips = scores(classifier, range.start, block, errors, |rows, scores| {
            let mut sums = vec![0.0; loss.sums()];
            loss.derive(rows, scores, &mut sums);
            let mut bias = vec![0.0; columns];
            for row in scores.chunks_exact(columns) {
                bias.iter_mut().zip(row).for_each(|(sum, error)| *sum += error.to_f64());
            }
            (sums, bias)
        });
        for (strip_losses, strip_bias) in &strips {
            add(&mut losses, strip_losses);
            add(&mut bias, strip_bias);
        }
        tiles.par_iter_mut().for_each_init(
            || vec![T::default(); TILE[0] * TILE[1]],
            |product, tile| tile.add(product, errors, columns, block, width),
        );
        after(range.end)?;
    }
    let mut weight = vec![0.0; columns * width];
    tiles.iter().for_each(|tile| tile.write(&mut weight, width));
    Ok(Gradient { losses, weight, bias })
}

fn add(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// A part of the gradient of the weights.
struct Tile {
    columns: Range<usize>,
    features: Range<usize>,
    sums: Vec<f64>,
}

impl Tile {
    fn all(columns: usize, width: usize) -> Vec<Self> {
        let ranges = |size: usize, step: usize| (0..size).step_by(step).map(move |start| start..size.min(start + step));
        ranges(columns, TILE[0])
            .flat_map(|columns| {
                ranges(width, TILE[1]).map(move |features| Self {
                    sums: vec![0.0; columns.len() * features.len()],
                    columns: columns.clone(),
                    features,
                })
            })
            .collect()
    }

    /// Adds errorsᵀ · rows.
    fn add<T: Float>(&mut self, product: &mut [T], errors: &[T], columns: usize, block: &[T], width: usize) {
        let product = &mut product[..self.sums.len()];
        for (errors, rows) in errors.chunks(DEPTH * columns).zip(block.chunks(DEPTH * width)) {
            multiply(
                [self.columns.len(), self.features.len(), rows.len() / width],
                product,
                Matrix::columns(&errors[self.columns.start..], columns),
                Matrix::rows(&rows[self.features.start..], width),
            );
            self.sums
                .iter_mut()
                .zip(&*product)
                .for_each(|(sum, value)| *sum += value.to_f64());
        }
    }

    fn write(&self, weight: &mut [f64], width: usize) {
        for (column, sums) in self.columns.clone().zip(self.sums.chunks_exact(self.features.len())) {
            weight[column * width..][self.features.clone()].copy_from_slice(sums);
        }
    }
}
