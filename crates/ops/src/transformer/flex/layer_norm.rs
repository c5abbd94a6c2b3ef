//! Layer norm of rows, and its gradients.

use barlow_simd::vectorised;

use super::rows::sum;

vectorised! {
    /// Normalises the rows `y`, which hold x; writes the mean and 1/√(variance + epsilon) of each.
    pub(super) fn forward<'a>(
        y: &'a mut [f32],
        weight: &'a [f32],
        bias: &'a [f32],
        epsilon: f64,
        means: &'a mut [f32],
        inverse_stds: &'a mut [f32],
    ) {
        let width = weight.len();
        for ((y, mean), inverse_std) in y.chunks_exact_mut(width).zip(means).zip(inverse_stds) {
            let m = (sum(y, y, |x, _| x) / width as f64) as f32;
            // Of the rest, so that neither value suffers from cancellation if the mean is large.
            let rest = (sum(y, y, |x, _| x - m) / width as f64) as f32;
            let square = sum(y, y, |x, _| (x - m) * (x - m)) / width as f64;
            let variance = square - f64::from(rest) * f64::from(rest);
            let m = m + rest;
            let s = (1.0 / (variance + epsilon).sqrt()) as f32;
            for ((y, &weight), &bias) in y.iter_mut().zip(weight).zip(bias) {
                *y = (*y - m) * s * weight + bias;
            }
            (*mean, *inverse_std) = (m, s);
        }
    }

    /// Replaces the gradients of some rows of y, `dx`, by those of x, and adds to the gradients of weight and bias.
    pub(super) fn backward<'a>(
        dx: &'a mut [f32],
        x: &'a [f32],
        weight: &'a [f32],
        means: &'a [f32],
        inverse_stds: &'a [f32],
        sums: [&'a mut [f32]; 2],
    ) {
        let width = weight.len();
        let [dw, db] = sums;
        let mut normal = vec![0.0; width];
        let statistics = means.iter().zip(inverse_stds);
        for ((dx, x), (&m, &s)) in dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(statistics) {
            for (normal, &x) in normal.iter_mut().zip(x) {
                *normal = (x - m) * s;
            }
            for (((dx, &normal), &weight), (dw, db)) in
                dx.iter_mut().zip(&normal).zip(weight).zip(dw.iter_mut().zip(db.iter_mut()))
            {
                *dw += *dx * normal;
                *db += *dx;
                *dx *= weight;
            }
            let mean = (sum(dx, dx, |g, _| g) / width as f64) as f32;
            let along = (sum(dx, &normal, |g, normal| g * normal) / width as f64) as f32;
            for (dx, &normal) in dx.iter_mut().zip(&normal) {
                *dx = (*dx - mean - normal * along) * s;
            }
        }
    }
}
