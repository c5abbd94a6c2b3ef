//! Tests that the kernels give the same bytes at every SIMD level.

use barlow_simd::Level;

use super::columns::{EmbeddingLayout, diagonal, measure};
use super::gradient::{TermWeights, finish_columns, finish_rows};
use super::{direct, gram, rows};

fn formula(len: usize, seed: usize) -> Vec<f32> {
    (0..len)
        .map(|i| ((i * 7 + seed * 13) as f32 * 0.1).sin() + seed as f32)
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The results of each kernel and of both forms.
fn all([n, d]: [usize; 2]) -> Vec<Vec<u32>> {
    let layout = EmbeddingLayout::of([n, d]);
    let [a, b] = [1, 2].map(|seed| formula(n * d, seed));
    let [mut block_a, mut block_b] = [vec![0.0; n * d], vec![0.0; n * d]];
    let moments = measure(layout, &a, 0..d, 1e-5, &mut block_a);
    measure(layout, &b, 0..d, 1e-5, &mut block_b);
    let c_ii = diagonal(&block_a, &block_b, d);
    let weights = TermWeights::of(&[0.3, 0.7, 0.0, 0.0], n);
    let of_diagonal = weights.of_diagonal(&c_ii);
    let projections = weights.projections(&c_ii, &formula(d, 3));
    let mut by_columns = vec![0.0; n * d];
    finish_columns(
        (&mut formula(n * d, 4), weights.of_gram()),
        [&block_a, &block_b],
        &of_diagonal,
        moments.borrow(),
        &mut by_columns.chunks_mut(d).collect::<Vec<_>>(),
    );
    let mut by_rows = formula(n * d, 4);
    let inverse_std = moments.borrow().inverse_std;
    finish_rows(
        &mut by_rows,
        0.1,
        &block_a,
        &block_b,
        &of_diagonal,
        &projections,
        inverse_std,
    );
    let (view, _) = rows::measure(layout, &a, 1e-5);
    let forms = [
        direct::forward(layout, [&a, &b], 1e-5, false),
        gram::forward(layout, [&a, &b], 1e-5, false),
    ];
    let forms = forms.map(|form| form.sums.into_data().to_vec::<f32>().unwrap());
    let results = [
        &block_a,
        &block_b,
        &c_ii,
        &by_columns,
        &by_rows,
        &view,
        &forms[0],
        &forms[1],
    ];
    results.map(|values| bits(values)).to_vec()
}

#[test]
fn every_level_gives_the_same_bytes() {
    // The level is set per thread, so all tasks run on one thread.
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for shape in [[2, 1], [7, 33], [40, 64], [65, 130]] {
        let at = |level: Level| one_thread.install(|| level.scope(|| all(shape)));
        let best = at(Level::Best);
        for level in [Level::Avx2, Level::Baseline] {
            assert!(at(level) == best, "{level:?}: {shape:?}");
        }
    }
}
