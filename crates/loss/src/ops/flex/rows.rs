//! The same standardisation as in `columns`, for a whole view by runs of whole rows: for embeddings with more rows than features,
//! whose blocks of features would be scattered pieces of a cache line or two.

use rayon::prelude::*;

use super::columns::{Layout, Moments, MomentsRef, standardise};
use super::sums::Sums;
use super::wide::wide;

/// Floats that are worth a task.
const TASK_FLOATS: usize = 1 << 14;

/// Rows of the embeddings that one task takes, by the shape alone: enough for the products with them, which pack C anew for every run
/// of rows, and few enough to share out. Where there are more threads than runs, products have several.
pub(super) fn run(Layout { n, d }: Layout) -> usize {
    n.div_ceil(4).clamp(16, 512).max(TASK_FLOATS / d).next_multiple_of(16)
}

/// The standardised view, [n, d], and how it was made.
pub(super) fn measure(layout: Layout, z: &[f32], epsilon: f64) -> (Vec<f32>, Moments) {
    let Layout { n, d } = layout;
    let floats = run(layout) * d;
    let runs = || z.par_chunks(floats);
    let sums = runs().map(|z| {
        let mut sums = Sums::new(d);
        add_rows(z, d, &mut sums);
        [sums]
    });
    let [mean] = means(sums.collect(), n);
    let mean: Vec<f32> = mean.into_iter().map(|mean| mean as f32).collect();
    let sums = runs().map(|z| {
        let (mut sums, mut squares) = (Sums::new(d), Sums::new(d));
        add_centred(z, &mean, &mut vec![0.0; d], &mut sums, &mut squares);
        [sums, squares]
    });
    let [rest, square] = means(sums.collect(), n);
    let moments = Moments::new(mean, &rest, &square, epsilon);
    let mut out = vec![0.0; n * d];
    fill(layout, z, moments.borrow(), &mut out);
    (out, moments)
}

fn fill(layout: Layout, z: &[f32], moments: MomentsRef<'_>, out: &mut [f32]) {
    let floats = run(layout) * layout.d;
    let runs = out.par_chunks_mut(floats).zip(z.par_chunks(floats));
    runs.for_each(|(out, z)| standardise(z, layout.d, 0..layout.d, moments, out));
}

/// Means over all runs, added up in their order.
fn means<const K: usize>(runs: Vec<[Sums; K]>, n: usize) -> [Vec<f64>; K] {
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

wide! {
    fn add_rows(z: &[f32], d: usize, sums: &mut Sums) {
        z.chunks_exact(d).for_each(|row| sums.add(row));
    }

    fn add_centred(z: &[f32], mean: &[f32], centred: &mut [f32], sums: &mut Sums, squares: &mut Sums) {
        for row in z.chunks_exact(mean.len()) {
            for ((centred, x), mean) in centred.iter_mut().zip(row).zip(mean) {
                *centred = x - mean;
            }
            sums.add(centred);
            squares.add_products(centred, centred);
        }
    }
}
