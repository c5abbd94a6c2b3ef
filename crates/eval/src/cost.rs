//! What an evaluation costs, estimated before it runs.

use crate::linear::LinearConfig;
use crate::neighbours::bytes_per_query;

/// Memory and arithmetic of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Bytes that it allocates besides its input.
    pub bytes: u64,
    /// Floating-point operations (a product and a sum are two).
    pub operations: f64,
}

/// Passes over the training images of a fit to a gradient of 1e-6: 40 to 300, rather too many here than too few.
const PASSES: f64 = 200.0;

/// Vectors of the length of all parameters that a fit holds: two of each of the ten steps in its history, and its own.
const VECTORS: u64 = 28;

/// Cost of [`linear_probe`](crate::linear_probe) on `images` training images. The number of passes is that of a typical problem;
/// more classes or a smaller `l2` need more.
pub fn linear_cost(images: usize, width: usize, classes: usize, config: &LinearConfig) -> Cost {
    let [n, f, c] = [images, width, classes].map(|size| size as u64);
    let parameters = c.saturating_mul(f + 1);
    let copy = 4u64.saturating_mul(n).saturating_mul(f);
    let copy = if config.standardise && copy <= config.memory {
        copy
    } else {
        0
    };
    // A block of rows raw, transformed, and in f64, and its scores: as `input.rs` sizes them.
    let rows = n.min(((8 << 20) / f.max(c).max(1)).max(256));
    let block = 16 * rows * f + 8 * rows * c;
    Cost {
        bytes: (8 * VECTORS)
            .saturating_mul(parameters)
            .saturating_add(copy)
            .saturating_add(block),
        operations: 4.0 * PASSES * images as f64 * (width as f64 + 1.0) * classes as f64,
    }
}

/// Cost of [`knn`](crate::knn) with at most `k` neighbours.
pub fn knn_cost(train: usize, test: usize, width: usize, k: usize) -> Cost {
    let per_image = bytes_per_query(width, k.min(train)) as u64;
    let images = (test as u64).min((512 << 20) / per_image + 1024);
    let row = 4 * width.max(1) as u64;
    // A chunk of training rows, as they are and prepared.
    let chunk = 2 * row * (train as u64).min(((64 << 20) / row).max(1024));
    Cost {
        bytes: per_image * images + chunk,
        operations: 2.0 * train as f64 * test as f64 * width as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_grow_with_the_sizes_and_memory_only_with_the_parameters() {
        let config = LinearConfig::default();
        let small = linear_cost(50_000, 512, 10, &config);
        let large = linear_cost(1_281_167, 2048, 1000, &config);
        assert!(
            small.operations < large.operations && small.bytes < 400 << 20,
            "{small:?}"
        );
        // The features would be 10 GB.
        assert!(large.bytes < 1 << 30, "{large:?}");
        let knn = knn_cost(1_281_167, 50_000, 2048, 200);
        assert_eq!(knn.operations, 2.0 * 1_281_167.0 * 50_000.0 * 2048.0);
        assert!(knn.bytes < 1 << 30, "{knn:?}");
    }
}
