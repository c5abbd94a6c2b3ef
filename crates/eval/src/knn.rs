//! Weighted k-nearest-neighbour accuracy (Wu et al., 2018, arXiv 1805.01978). It has no parameters and no training, so it
//! evaluates the features alone. Accuracies of different k or temperature are not comparable.

use crate::features::{Features, argmax, check_pair, top1};
use rayon::prelude::*;

/// Settings of [`knn`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnnConfig {
    /// Number of neighbours that vote (≥ 1); all training images vote if there are fewer.
    pub k: usize,
    /// T in the weight exp(cosine / T) of a vote (> 0).
    pub temperature: f64,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self {
            k: 20,
            temperature: 0.07,
        }
    }
}

/// Result of [`knn`].
#[derive(Clone, Debug, PartialEq)]
pub struct KnnResult {
    /// Fraction of the test images whose class was predicted correctly, in [0, 1].
    pub top1: f64,
    /// Predicted class of every test image.
    pub predictions: Vec<usize>,
}

/// Predicts the class of every test image by a vote of its `k` nearest training images by cosine, each with the weight
/// exp(cosine / T). Ties go to the earlier training image and to the lower class.
///
/// # Panics
///
/// If a set is empty or inconsistent, the widths or classes differ, `k` is 0 or the temperature is not above 0.
pub fn knn(train: &Features, test: &Features, config: &KnnConfig) -> KnnResult {
    check_pair(train, test);
    assert!(
        config.k > 0 && config.temperature > 0.0,
        "kNN needs k > 0 and a temperature > 0: {config:?}"
    );
    let (neighbours, queries) = (normalised(train), normalised(test));
    // The images of a block share each read of a training row. Each row of similarities is still computed by one thread, in a
    // fixed order.
    let predictions = queries
        .par_chunks(BLOCK * test.width)
        .flat_map_iter(|block| {
            similarities(block, &neighbours, train.width)
                .into_iter()
                .map(|row| vote(&row, train, config))
        })
        .collect::<Vec<_>>();
    KnnResult {
        top1: top1(&predictions, test.labels),
        predictions,
    }
}

/// Test images that are compared in one pass over the training images: 16 rows of 2048 features fit into the L2 cache.
const BLOCK: usize = 16;

/// Number of partial sums of a dot product, so that the compiler can use vector instructions.
const LANES: usize = 16;

/// The rows scaled to length 1; a row of zeros stays zero, as in `torch.nn.functional.normalize`.
fn normalised(features: &Features) -> Vec<f32> {
    let mut rows = features.rows.to_vec();
    rows.par_chunks_mut(features.width).for_each(|row| {
        let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-12);
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    });
    rows
}

/// Cosine similarities of every row of `block` with every row of `neighbours`: one vector per row of `block`.
fn similarities(block: &[f32], neighbours: &[f32], width: usize) -> Vec<Vec<f32>> {
    let mut out = vec![Vec::with_capacity(neighbours.len() / width); block.len() / width];
    for neighbour in neighbours.chunks_exact(width) {
        for (query, row) in block.chunks_exact(width).zip(&mut out) {
            row.push(dot(query, neighbour));
        }
    }
    out
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = chunks_a
        .remainder()
        .iter()
        .zip(chunks_b.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in chunks_a.zip(chunks_b) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f32>() + tail
}

fn vote(similarities: &[f32], train: &Features, config: &KnnConfig) -> usize {
    // NaN (a diverged network) counts as the farthest.
    let cosine = |index: usize| {
        if similarities[index].is_nan() {
            -1.0
        } else {
            similarities[index]
        }
    };
    let nearer = |&a: &usize, &b: &usize| cosine(b).total_cmp(&cosine(a)).then(a.cmp(&b));
    let mut order: Vec<usize> = (0..similarities.len()).collect();
    let k = config.k.min(order.len());
    if k < order.len() {
        order.select_nth_unstable_by(k - 1, nearer);
        order.truncate(k);
    }
    order.sort_unstable_by(nearer);
    // Relative to the nearest neighbour the weights cannot overflow; the common factor does not change the vote.
    let nearest = cosine(order[0]);
    let mut votes = vec![0.0f64; train.classes];
    for &index in &order {
        votes[train.labels[index]] += (f64::from(cosine(index) - nearest) / config.temperature).exp();
    }
    argmax(&votes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features from a formula: a direction per class plus a stronger pattern.
    fn formula(images: usize, width: usize, classes: usize, phase: f64) -> (Vec<f32>, Vec<usize>) {
        let labels: Vec<usize> = (0..images).map(|i| (i * 11 + 3) % classes).collect();
        let value = |i: usize, j: usize| {
            let (x, y) = (i as f64, j as f64);
            (labels[i] as f64 * 1.7 + y * 0.9).sin() + 2.0 * (0.13 * x * x + 0.77 * x * y + 0.29 * y * y + phase).cos()
        };
        let rows = (0..images * width)
            .map(|k| value(k / width, k % width) as f32)
            .collect();
        (rows, labels)
    }

    /// The definition, without blocks, partial selection or common factor.
    fn naive(train: &Features, test: &Features, config: &KnnConfig) -> Vec<usize> {
        let cosine = |a: &[f32], b: &[f32]| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        (0..test.len())
            .map(|query| {
                let mut all: Vec<(f64, usize)> = (0..train.len())
                    .map(|i| (cosine(test.row(query), train.row(i)), train.labels[i]))
                    .collect();
                all.sort_by(|a, b| b.0.total_cmp(&a.0));
                let mut votes = vec![0.0; train.classes];
                all.iter()
                    .take(config.k)
                    .for_each(|(cosine, label)| votes[*label] += (cosine / config.temperature).exp());
                argmax(&votes)
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_definition() {
        for (width, k) in [(5, 1), (16, 7), (33, 20), (48, 1000)] {
            let (train_rows, train_labels) = formula(157, width, 6, 0.0);
            let (test_rows, test_labels) = formula(67, width, 6, 2.0);
            let train = Features {
                rows: &train_rows,
                width,
                labels: &train_labels,
                classes: 6,
            };
            let test = Features {
                rows: &test_rows,
                width,
                labels: &test_labels,
                classes: 6,
            };
            let config = KnnConfig {
                k,
                ..KnnConfig::default()
            };
            let result = knn(&train, &test, &config);
            assert_eq!(
                result.predictions,
                naive(&train, &test, &config),
                "width {width}, k {k}"
            );
            assert!(
                result.top1 > 1.0 / 6.0 && result.top1 < 1.0,
                "the set is neither trivial nor hopeless: {}",
                result.top1
            );
        }
    }

    #[test]
    fn a_known_vote() {
        // Class 1 is nearest, but three images of class 0 outvote it at a high temperature and not at a low one.
        let train = Features {
            rows: &[1.0, 0.0, 0.8, 0.6, 0.8, 0.6, 0.8, -0.6, -1.0, 0.0],
            width: 2,
            labels: &[1, 0, 0, 0, 2],
            classes: 3,
        };
        let test = Features {
            rows: &[3.0, 0.0],
            width: 2,
            labels: &[1],
            classes: 3,
        };
        assert_eq!(
            knn(&train, &test, &KnnConfig { k: 4, temperature: 1.0 }).predictions,
            [0]
        );
        assert_eq!(
            knn(
                &train,
                &test,
                &KnnConfig {
                    k: 4,
                    temperature: 0.05
                }
            )
            .predictions,
            [1]
        );
        assert_eq!(
            knn(
                &train,
                &test,
                &KnnConfig {
                    k: 4,
                    temperature: 1e-6
                }
            )
            .top1,
            1.0
        );
    }

    #[test]
    fn ties_go_to_the_earlier_image_and_the_lower_class() {
        let rows = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        let test = Features {
            rows: &[1.0, 0.0],
            width: 2,
            labels: &[1],
            classes: 3,
        };
        let train = |labels: &'static [usize]| Features {
            rows: &rows,
            width: 2,
            labels,
            classes: 3,
        };
        assert_eq!(
            knn(
                &train(&[2, 1, 0]),
                &test,
                &KnnConfig {
                    k: 1,
                    temperature: 0.07
                }
            )
            .predictions,
            [2]
        );
        assert_eq!(
            knn(
                &train(&[2, 1, 0]),
                &test,
                &KnnConfig {
                    k: 2,
                    temperature: 0.07
                }
            )
            .predictions,
            [1]
        );
    }

    #[test]
    fn nan_and_zero_rows_do_not_panic() {
        let train = Features {
            rows: &[f32::NAN, 0.0, 1.0, 0.0],
            width: 2,
            labels: &[0, 1],
            classes: 2,
        };
        let test = Features {
            rows: &[1.0, 0.0, 0.0, 0.0],
            width: 2,
            labels: &[1, 1],
            classes: 2,
        };
        assert_eq!(
            knn(
                &train,
                &test,
                &KnnConfig {
                    k: 1,
                    temperature: 0.07
                }
            )
            .predictions,
            [1, 1]
        );
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let (train_rows, train_labels) = formula(301, 40, 9, 0.0);
        let (test_rows, test_labels) = formula(133, 40, 9, 1.0);
        let train = Features {
            rows: &train_rows,
            width: 40,
            labels: &train_labels,
            classes: 9,
        };
        let test = Features {
            rows: &test_rows,
            width: 40,
            labels: &test_labels,
            classes: 9,
        };
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| knn(&train, &test, &KnnConfig::default()))
        };
        assert_eq!(with_threads(1), with_threads(2));
        assert_eq!(with_threads(1), with_threads(5));
    }
}
