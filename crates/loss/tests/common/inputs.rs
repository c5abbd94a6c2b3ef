//! Test inputs by formulas that any language can reproduce, and a small random number generator.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Embeddings on the host: row-major `[n, d]`.
#[derive(Clone, Debug)]
pub struct Host {
    pub n: usize,
    pub d: usize,
    pub values: Vec<f32>,
}

impl Host {
    /// `z[i, j] = f(i, j)`
    pub fn formula(n: usize, d: usize, f: impl Fn(f64, f64) -> f64) -> Self {
        let values = (0..n * d).map(|k| f((k / d) as f64, (k % d) as f64) as f32).collect();
        Self { n, d, values }
    }

    /// Approximately normal random numbers from a seed: the sum of twelve uniform numbers (SplitMix64) minus 6.
    pub fn normal(n: usize, d: usize, seed: u64) -> Self {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        let values = (0..n * d)
            .map(|_| ((0..12).map(|_| uniform()).sum::<f64>() - 6.0) as f32)
            .collect();
        Self { n, d, values }
    }

    /// Applies `f` to every element; its first argument is the index of the feature.
    pub fn map(&self, f: impl Fn(usize, f32) -> f32) -> Self {
        let values = self.values.iter().enumerate().map(|(k, &x)| f(k % self.d, x)).collect();
        Self { values, ..*self }
    }

    /// A second view: this one plus `noise` times normal random numbers.
    pub fn other_view(&self, noise: f32, seed: u64) -> Self {
        let other = Self::normal(self.n, self.d, seed);
        let values = self
            .values
            .iter()
            .zip(other.values)
            .map(|(&x, y)| x + noise * y)
            .collect();
        Self { values, ..*self }
    }

    pub fn to<B: Backend>(&self, device: &B::Device) -> Tensor<B, 2> {
        Tensor::from_data(TensorData::new(self.values.clone(), [self.n, self.d]), device)
    }

    pub fn doubles(&self) -> Vec<f64> {
        self.values.iter().map(|&x| f64::from(x)).collect()
    }
}

/// The pair of formula inputs of the golden values.
pub fn formula_pair(n: usize, d: usize) -> [Host; 2] {
    let a = |i: f64, j: f64| (0.7 * i + 1.3 * j).sin();
    [
        Host::formula(n, d, a),
        Host::formula(n, d, |i, j| a(i, j) + 0.5 * (1.1 * i - 0.4 * j).cos()),
    ]
}

/// Two partially correlated views.
pub fn views(n: usize, d: usize, seed: u64) -> [Host; 2] {
    let a = Host::normal(n, d, seed);
    let b = a.other_view(0.7, seed + 1000);
    [a, b]
}
