//! Multinomial logistic regression as a function of its parameters: value and gradient.
//!
//! The linear probe spends its time here. Sums are f64, in an order that depends only on the number of images, not on the
//! number of threads.

use rayon::prelude::*;

/// Rows per block: each weight is loaded once for all of them.
const ROWS: usize = 4;

/// Number of partial sums of a dot product, so that the compiler can use vector instructions.
const LANES: usize = 4;

/// Mean cross-entropy + l2 · Σ w² of a linear classifier.
pub(crate) struct Problem<'a> {
    /// Features, `[N, width]`, row-major.
    pub x: Vec<f64>,
    /// Number of features per image.
    pub width: usize,
    /// Class of every image, each below `classes`.
    pub labels: &'a [usize],
    /// Number of classes.
    pub classes: usize,
    /// Factor of the penalty.
    pub l2: f64,
}

impl Problem<'_> {
    /// Objective and gradient at the weights `[classes, width]` followed by the biases `[classes]`.
    pub fn evaluate(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let (images, width) = (self.labels.len(), self.width);
        // Each piece has its own gradient, so there are at most 32 pieces. Their size depends on the number of images and not on
        // the number of threads, which fixes the order of the sums.
        let piece = images.div_ceil(32).next_multiple_of(ROWS).max(64);
        let parts: Vec<(f64, Vec<f64>)> = self
            .x
            .par_chunks(piece * width)
            .zip(self.labels.par_chunks(piece))
            .map(|(x, labels)| self.piece(x, labels, parameters))
            .collect();
        let (mut value, mut gradient) = (0.0, vec![0.0; parameters.len()]);
        for (part_value, part_gradient) in &parts {
            value += part_value;
            gradient
                .iter_mut()
                .zip(part_gradient)
                .for_each(|(sum, part)| *sum += part);
        }
        let scale = 1.0 / images as f64;
        gradient.iter_mut().for_each(|g| *g *= scale);
        let weights = self.classes * width;
        let mut penalty = 0.0;
        for (g, w) in gradient.iter_mut().zip(&parameters[..weights]) {
            penalty += w * w;
            *g += 2.0 * self.l2 * w;
        }
        (value * scale + self.l2 * penalty, gradient)
    }

    /// Sum of the cross-entropies of a piece of the images, and its gradient.
    fn piece(&self, x: &[f64], labels: &[usize], parameters: &[f64]) -> (f64, Vec<f64>) {
        let (width, classes) = (self.width, self.classes);
        let (weights, biases) = parameters.split_at(classes * width);
        let mut gradient = vec![0.0; parameters.len()];
        let (weight_gradient, bias_gradient) = gradient.split_at_mut(classes * width);
        let mut value = 0.0;
        let mut logits = vec![[0.0; ROWS]; classes];
        for (block, labels) in x.chunks(ROWS * width).zip(labels.chunks(ROWS)) {
            // The last block may be short: its missing rows repeat the first one, and their error is set to zero below.
            let rows: [&[f64]; ROWS] =
                std::array::from_fn(|row| block.chunks_exact(width).nth(row).unwrap_or(&block[..width]));
            for (class, logits) in logits.iter_mut().enumerate() {
                let dots = dots(&weights[class * width..(class + 1) * width], rows);
                *logits = dots.map(|dot| dot + biases[class]);
            }
            for row in 0..ROWS {
                match labels.get(row) {
                    Some(&label) => value += softmax_error(&mut logits, row, label),
                    None => logits.iter_mut().for_each(|logits| logits[row] = 0.0),
                }
            }
            for (class, error) in logits.iter().enumerate() {
                bias_gradient[class] += error.iter().sum::<f64>();
                add_rows(&mut weight_gradient[class * width..(class + 1) * width], *error, rows);
            }
        }
        (value, gradient)
    }
}

/// Replaces the logits of one image by its probabilities minus the one-hot label, and returns its cross-entropy.
fn softmax_error(logits: &mut [[f64; ROWS]], row: usize, label: usize) -> f64 {
    let highest = logits
        .iter()
        .fold(f64::NEG_INFINITY, |most, logits| most.max(logits[row]));
    let at_label = logits[label][row];
    let total: f64 = logits.iter().map(|logits| (logits[row] - highest).exp()).sum();
    logits
        .iter_mut()
        .for_each(|logits| logits[row] = (logits[row] - highest).exp() / total);
    logits[label][row] -= 1.0;
    total.ln() + highest - at_label
}

/// Dot products of a weight vector with each row of a block.
fn dots(weight: &[f64], rows: [&[f64]; ROWS]) -> [f64; ROWS] {
    let width = weight.len();
    let rows = rows.map(|row| &row[..width]);
    let mut sums = [[0.0; LANES]; ROWS];
    let whole = width - width % LANES;
    for start in (0..whole).step_by(LANES) {
        let weight = &weight[start..start + LANES];
        for (sums, row) in sums.iter_mut().zip(rows) {
            let row = &row[start..start + LANES];
            for lane in 0..LANES {
                sums[lane] += weight[lane] * row[lane];
            }
        }
    }
    std::array::from_fn(|row| {
        let tail: f64 = (whole..width).map(|feature| weight[feature] * rows[row][feature]).sum();
        sums[row].iter().sum::<f64>() + tail
    })
}

/// Adds the rows of a block to `to`, each multiplied by its factor.
fn add_rows(to: &mut [f64], factors: [f64; ROWS], rows: [&[f64]; ROWS]) {
    let [a, b, c, d] = rows.map(|row| &row[..to.len()]);
    for (feature, to) in to.iter_mut().enumerate() {
        *to +=
            (factors[0] * a[feature] + factors[1] * b[feature]) + (factors[2] * c[feature] + factors[3] * d[feature]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        // 70 images are two pieces and a short last block.
        let x: Vec<f64> = (0..70 * 6)
            .map(|k| (k as f64 * 0.77).sin() + (k as f64 * 0.013).cos())
            .collect();
        let labels: Vec<usize> = (0..70).map(|i| i * i % 5 % 3).collect();
        let problem = Problem {
            x,
            width: 6,
            labels: &labels,
            classes: 3,
            l2: 0.01,
        };
        let at: Vec<f64> = (0..21).map(|k| (k as f64 * 0.7).sin()).collect();
        let gradient = problem.evaluate(&at).1;
        for (k, &own) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut moved = at.clone();
                moved[k] += by;
                problem.evaluate(&moved).0
            };
            let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((own - numeric).abs() < 1e-8, "{k}: {own} against {numeric}");
        }
    }
}
