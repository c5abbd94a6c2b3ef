//! Reference implementation of the loss and its gradients in f64, as loops over the definition, for sizes without golden values.

/// The terms, readings and gradients.
pub struct Double {
    pub invariance: f64,
    pub redundancy_reduction: f64,
    pub diagonal_mean: f64,
    pub diagonal_std: f64,
    pub gradients: [Vec<f64>; 2],
}

/// Terms, readings and gradients of weights[0] Σ (1 − c_ii)² + weights[1] Σ_{i≠j} c_ij²; embeddings are row-major [n, d].
pub fn terms([a, b]: [&[f64]; 2], [n, d]: [usize; 2], weights: [f64; 2]) -> Double {
    let count = n as f64;
    let (a, inverse_a) = standardise(a, n, d);
    let (b, inverse_b) = standardise(b, n, d);
    let mut c = vec![0.0; d * d];
    for row in 0..n {
        for i in 0..d {
            let factor = a[row * d + i] / count;
            add_scaled(&mut c[i * d..][..d], factor, &b[row * d..]);
        }
    }
    let diagonal: Vec<f64> = (0..d).map(|i| c[i * d + i]).collect();
    let mean = diagonal.iter().sum::<f64>() / d as f64;
    let variance = diagonal.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / d as f64;
    let invariance = diagonal.iter().map(|c| (1.0 - c).powi(2)).sum();
    let mut redundancy_reduction = 0.0;
    for i in 0..d {
        for j in (0..d).filter(|&j| j != i) {
            redundancy_reduction += c[i * d + j].powi(2);
        }
    }

    let mut slope: Vec<f64> = c.iter().map(|c| 2.0 * weights[1] * c / count).collect();
    (0..d).for_each(|i| slope[i * d + i] = -2.0 * weights[0] * (1.0 - diagonal[i]) / count);
    let (mut slope_a, mut slope_b) = (vec![0.0; n * d], vec![0.0; n * d]);
    for row in 0..n {
        for i in 0..d {
            let line = &slope[i * d..][..d];
            slope_a[row * d + i] = dot(line, &b[row * d..]);
            add_scaled(&mut slope_b[row * d..][..d], a[row * d + i], line);
        }
    }
    Double {
        invariance,
        redundancy_reduction,
        diagonal_mean: mean,
        diagonal_std: variance.sqrt(),
        gradients: [
            through_standardisation(slope_a, &a, &inverse_a, n),
            through_standardisation(slope_b, &b, &inverse_b, n),
        ],
    }
}

/// Redundancy reduction and both gradients from the Gram matrices, for D that is too large to hold C in a test.
pub fn by_gram([a, b]: [&[f64]; 2], [n, d]: [usize; 2], weights: [f64; 2]) -> (f64, [Vec<f64>; 2]) {
    let count = n as f64;
    let (a, inverse_a) = standardise(a, n, d);
    let (b, inverse_b) = standardise(b, n, d);
    let diagonal: Vec<f64> = (0..d)
        .map(|i| (0..n).map(|r| a[r * d + i] * b[r * d + i]).sum::<f64>() / count)
        .collect();
    let gram = |z: &[f64]| -> Vec<f64> {
        (0..n * n)
            .map(|k| dot(&z[k / n * d..][..d], &z[k % n * d..][..d]))
            .collect()
    };
    let (gram_a, gram_b) = (gram(&a), gram(&b));
    let redundancy = dot(&gram_a, &gram_b) / count.powi(2) - dot(&diagonal, &diagonal);
    let gradient = |gram: &[f64], own: &[f64], other: &[f64], inverse: &[f64]| {
        let mut slope = vec![0.0; n * d];
        for (k, factor) in gram.iter().enumerate() {
            let factor = 2.0 * weights[1] * factor / count.powi(2);
            add_scaled(&mut slope[k / n * d..][..d], factor, &own[k % n * d..]);
        }
        for (k, slope) in slope.iter_mut().enumerate() {
            let c = diagonal[k % d];
            *slope += (-2.0 * weights[0] * (1.0 - c) - 2.0 * weights[1] * c) * other[k] / count;
        }
        through_standardisation(slope, own, inverse, n)
    };
    (
        redundancy,
        [
            gradient(&gram_b, &a, &b, &inverse_a),
            gradient(&gram_a, &b, &a, &inverse_b),
        ],
    )
}

/// Dot product of `x` with the first `x.len()` elements of `y`. A counted loop, because an iterator takes several times as long
/// without optimisation.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let (mut sum, mut k, n) = (0.0, 0, x.len());
    while k < n {
        sum += x[k] * y[k];
        k += 1;
    }
    sum
}

/// out += factor · z, for the first `out.len()` elements of `z`.
fn add_scaled(out: &mut [f64], factor: f64, z: &[f64]) {
    let (mut k, n) = (0, out.len());
    while k < n {
        out[k] += factor * z[k];
        k += 1;
    }
}

fn standardise(z: &[f64], n: usize, d: usize) -> (Vec<f64>, Vec<f64>) {
    let column = |j: usize| z.iter().skip(j).step_by(d);
    let mean: Vec<f64> = (0..d).map(|j| column(j).sum::<f64>() / n as f64).collect();
    let inverse: Vec<f64> = (0..d)
        .map(|j| {
            let variance = column(j).map(|z| (z - mean[j]).powi(2)).sum::<f64>() / n as f64;
            1.0 / (variance + 1e-5).sqrt()
        })
        .collect();
    let standardised = z.iter().enumerate().map(|(k, z)| (z - mean[k % d]) * inverse[k % d]);
    (standardised.collect(), inverse)
}

fn through_standardisation(slope: Vec<f64>, standardised: &[f64], inverse: &[f64], n: usize) -> Vec<f64> {
    let d = inverse.len();
    let (mut mean, mut tilt) = (vec![0.0; d], vec![0.0; d]);
    for (k, (slope, z)) in slope.iter().zip(standardised).enumerate() {
        mean[k % d] += slope / n as f64;
        tilt[k % d] += slope * z / n as f64;
    }
    let gradient = slope.iter().zip(standardised).enumerate();
    gradient
        .map(|(k, (slope, z))| inverse[k % d] * (slope - mean[k % d] - z * tilt[k % d]))
        .collect()
}
