//! Standardisation of a whole view in runs of whole rows, with the same result as in `columns`. For embeddings with more rows
//! than features, whose blocks of features would be scattered over pieces of one or two cache lines.

use barlow_simd::{Level, vectorised};
use rayon::prelude::*;

use super::columns::{ColumnMoments, EmbeddingLayout, MomentsRef, standardise};
use super::sums::ColumnSums;

/// Minimum number of floats per task.
const TASK_FLOATS: usize = 1 << 14;

/// Rows of the embeddings per task, which depends only on the shape: enough for efficient products, which pack C again for every
/// run of rows, and few enough for several threads. If there are more threads than runs, products use several threads.
pub(super) fn run(EmbeddingLayout { n, d }: EmbeddingLayout) -> usize {
    n.div_ceil(4).clamp(16, 512).max(TASK_FLOATS / d).next_multiple_of(16)
}

/// The standardised view, [n, d], and the parameters of the standardisation.
pub(super) fn measure(layout: EmbeddingLayout, z: &[f32], epsilon: f64) -> (Vec<f32>, ColumnMoments) {
    let EmbeddingLayout { n, d } = layout;
    let floats = run(layout) * d;
    let runs = || z.par_chunks(floats);
    let sums = runs().map(|z| {
        let mut sums = ColumnSums::new(d);
        add_rows(z, d, &mut sums);
        [sums]
    });
    let [mean] = means(sums.collect(), n);
    let mean: Vec<f32> = mean.into_iter().map(|mean| mean as f32).collect();
    let sums = runs().map(|z| {
        let (mut sums, mut squares) = (ColumnSums::new(d), ColumnSums::new(d));
        add_centred(z, &mean, &mut vec![0.0; d], &mut sums, &mut squares);
        [sums, squares]
    });
    let [rest, square] = means(sums.collect(), n);
    let moments = ColumnMoments::new(mean, &rest, &square, epsilon);
    let mut out = vec![0.0; n * d];
    fill(layout, z, moments.borrow(), &mut out);
    (out, moments)
}

fn fill(layout: EmbeddingLayout, z: &[f32], moments: MomentsRef<'_>, out: &mut [f32]) {
    let floats = run(layout) * layout.d;
    let runs = out.par_chunks_mut(floats).zip(z.par_chunks(floats));
    runs.for_each(|(out, z)| standardise(z, layout.d, 0..layout.d, moments, out));
}

/// Means over all runs, added in order.
fn means<const K: usize>(runs: Vec<[ColumnSums; K]>, n: usize) -> [Vec<f64>; K] {
    let mut totals = [const { Vec::new() }; K];
    for run in runs {
        for (total, mut sums) in totals.iter_mut().zip(run) {
            if total.is_empty() {
                total.extend(sums.means(n));
            } else {
                total
                    .iter_mut()
                    .zip(sums.means(n))
                    .for_each(|(total, mean)| *total += mean);
            }
        }
    }
    totals
}

vectorised! {
    max: Level::Avx2;

    fn add_rows<'a>(z: &'a [f32], d: usize, sums: &'a mut ColumnSums) {
        z.chunks_exact(d).for_each(|row| sums.add(row));
    }

    fn add_centred<'a>(
        z: &'a [f32],
        mean: &'a [f32],
        centred: &'a mut [f32],
        sums: &'a mut ColumnSums,
        squares: &'a mut ColumnSums,
    ) {
        for row in z.chunks_exact(mean.len()) {
            for ((centred, x), mean) in centred.iter_mut().zip(row).zip(mean) {
                *centred = x - mean;
            }
            sums.add(centred);
            squares.add_products(centred, centred);
        }
    }
}
