//! Tests of functions defined by `vectorised!` in another crate: results, several lifetimes, a maximal level, and equal bytes at
//! every level.

use barlow_simd::{Level, vectorised};

vectorised! {
    /// Σ a·b in eight independent sums.
    fn dot<'a>(a: &'a [f32], b: &'a [f32]) -> f32 {
        let mut lanes = [0.0f32; 8];
        let (groups_a, rest_a) = a.as_chunks::<8>();
        let (groups_b, rest_b) = b.as_chunks::<8>();
        for (a, b) in groups_a.iter().zip(groups_b) {
            for lane in 0..8 {
                lanes[lane] += a[lane] * b[lane];
            }
        }
        lanes.iter_mut().zip(rest_a.iter().zip(rest_b)).for_each(|(lane, (a, b))| *lane += a * b);
        lanes.iter().sum()
    }

}

vectorised! {
    max: Level::Avx2;

    fn scatter<'a, 'b>(rows: &'a mut [&'b mut [f32]], values: &'a [f32]) {
        for (row, value) in rows.iter_mut().zip(values) {
            row.iter_mut().for_each(|x| *x = *x * value + 0.1);
        }
    }
}

fn formula(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.1).sin()).collect()
}

#[test]
fn every_level_gives_the_same_bytes() {
    for len in [0, 1, 7, 8, 15, 16, 17, 64, 1000] {
        let (a, b) = (formula(len, 1), formula(len, 2));
        let results = Level::ALL.map(|level| {
            level.scope(|| {
                let mut matrix = a.clone();
                let mut rows: Vec<&mut [f32]> = matrix.chunks_mut(5).collect();
                scatter(&mut rows, &b);
                let bits: Vec<u32> = matrix.iter().map(|x| x.to_bits()).collect();
                (dot(&a, &b).to_bits(), bits)
            })
        });
        assert_eq!(results[0], results[1], "{len}");
        assert_eq!(results[0], results[2], "{len}");
    }
}
