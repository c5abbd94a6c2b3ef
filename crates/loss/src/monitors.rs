//! Measures of embeddings that show a collapse while a network is trained. None has a gradient.

use burn::tensor::{Tensor, backend::Backend};

use crate::reference::{centre, check_shapes, sum};
use crate::rows::{others, unit_rows};

/// Alignment of the positive pairs: the mean of ‖u_a − u_b‖² over the rows, u of unit length; in [0, 4], 0 where both views have
/// one embedding (Wang, Isola 2020, arXiv 2005.10242, with α = 2).
///
/// # Shapes
/// - z_a, z_b: `[N, D]`
/// - returns `[1]`
///
/// # Panics
/// If the shapes differ, N < 2 or D = 0.
pub fn alignment<B: Backend>(z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> Tensor<B, 1> {
    let [n, _] = check_shapes(z_a.dims(), z_b.dims());
    let [a, b] = [z_a, z_b].map(|z| unit_rows(z.detach()));
    sum((a - b).square()).div_scalar(n as f64)
}

/// Uniformity of one view: the logarithm of the mean of exp(−2 ‖u_i − u_j‖²) over all pairs i ≠ j, u of unit length; 0 where all
/// embeddings are one point, about −4 + 8/D where they cover the sphere evenly (Wang, Isola 2020, with t = 2).
///
/// # Shapes
/// - z: `[N, D]`
/// - returns `[1]`
///
/// # Panics
/// If N < 2 or D = 0.
pub fn uniformity<B: Backend>(z: Tensor<B, 2>) -> Tensor<B, 1> {
    let [n, _] = check_shapes(z.dims(), z.dims());
    let u = unit_rows(z.detach());
    // ‖u_i − u_j‖² = 2 − 2 cos.
    let kernel = (u.clone().matmul(u.transpose()).sub_scalar(1.0).mul_scalar(4.0)).exp();
    let own = others(&kernel).bool_not();
    let pairs = (n * (n - 1)) as f64;
    sum(kernel.mask_fill(own, 0.0)).div_scalar(pairs).log()
}

/// The standard deviation of the features of the rows of unit length, mean over the features, times √D: about 1 where the
/// embeddings are spread evenly, 0 where all are one point. SimSiam's measure of collapse (Chen, He 2020, arXiv 2011.10566,
/// figure 2), which has no √D.
///
/// # Shapes
/// - z: `[N, D]`
/// - returns `[1]`
///
/// # Panics
/// If N < 2 or D = 0.
pub fn unit_deviation<B: Backend>(z: Tensor<B, 2>) -> Tensor<B, 1> {
    let [_, d] = check_shapes(z.dims(), z.dims());
    let centred = centre(unit_rows(z.detach()));
    let deviation = centred.square().mean_dim(0).sqrt();
    sum(deviation).div_scalar((d as f64).sqrt())
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn_flex::{Flex, FlexDevice};

    type Matrix = Tensor<Flex, 2>;

    fn value(x: Tensor<Flex, 1>) -> f64 {
        f64::from(x.into_scalar())
    }

    #[test]
    fn one_point_is_a_collapse() {
        let point = Matrix::from_floats([[3.0, 4.0], [6.0, 8.0], [0.3, 0.4]], &FlexDevice);
        assert!(value(alignment(point.clone(), point.clone() * 2.0)) < 1e-12);
        assert!(value(uniformity(point.clone())).abs() < 1e-6);
        assert!(value(unit_deviation(point)) < 1e-6);
    }

    #[test]
    fn opposite_points_have_the_values_of_the_definitions() {
        let points = Matrix::from_floats([[1.0, 0.0], [-2.0, 0.0], [0.0, 3.0], [0.0, -4.0]], &FlexDevice);
        assert!((value(alignment(points.clone(), points.clone() * -1.0)) - 4.0).abs() < 1e-6);
        // Of the twelve ordered pairs four are at distance² 4 and eight at 2.
        let expected = ((4.0 * (-8.0f64).exp() + 8.0 * (-4.0f64).exp()) / 12.0).ln();
        assert!((value(uniformity(points.clone())) - expected).abs() < 1e-5);
        // Both features are 1, −1, 0, 0.
        assert!((value(unit_deviation(points)) - 1.0).abs() < 1e-6);
    }
}
