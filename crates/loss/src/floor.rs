//! Lower bound and expected initial value of the loss. Plain arithmetic, no tensors.
//!
//! Losses at different N and D are not comparable; the ratio of loss to floor is. A loss "stuck at 1,200" is often at its floor.

/// The lowest loss that a batch of `n` pairs can have in `d` dimensions, before the loss scale; `None` where no bound
/// is known (lambda above 1, negative or NaN, or fewer than two images).
///
/// After centring, rank(C) ≤ N − 1, and (tr C)² ≤ rank · ‖C‖²_F. With the mean t of the diagonal this gives
/// loss ≥ D (1 − t)² + λ (D² t² / (N − 1) − D t²), with the minimum D k / (1 + k) at t = 1 / (1 + k), where
/// k = λ (D / (N − 1) − 1). Zero if D ≤ N − 1, because C can then be the identity.
pub fn loss_floor(n: usize, d: usize, lambda: f64) -> Option<f64> {
    if n < 2 || !(0.0..=1.0).contains(&lambda) {
        return None;
    }
    let (rank, d) = ((n - 1) as f64, d as f64);
    let k = lambda * (d / rank - 1.0);
    Some(if k > 0.0 { d * k / (1.0 + k) } else { 0.0 })
}

/// The expected loss of embeddings that are uncorrelated between features and between views, before the loss scale:
/// D + λ D (D − 1) / (N − 1), to leading order. An untrained network starts below it if its views already agree, and
/// above it if its dimensions are correlated.
///
/// # Panics
///
/// If `n` < 2.
pub fn loss_start(n: usize, d: usize, lambda: f64) -> f64 {
    assert!(n >= 2, "a correlation needs at least 2 images, not {n}");
    let (rank, d) = ((n - 1) as f64, d as f64);
    d + lambda * d * (d - 1.0) / rank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_of_common_shapes() {
        // N, D, D k / (1 + k) with k = 0.0051 (D / (N - 1) - 1).
        let table = [
            (2048, 8192, 123.528),
            (1024, 8192, 282.678),
            (512, 8192, 583.282),
            (256, 8192, 1122.252),
            (128, 8192, 2004.082),
            (64, 8192, 3251.292),
            (256, 4096, 292.207),
            (512, 2048, 30.942),
            (256, 2048, 70.899),
            (128, 2048, 146.673),
            (256, 1024, 15.511),
        ];
        for (n, d, expected) in table {
            let floor = loss_floor(n, d, 0.0051).unwrap();
            assert!(
                (floor - expected).abs() <= 5e-4,
                "N={n} D={d}: {floor}, expected {expected}"
            );
        }
    }

    #[test]
    fn zero_up_to_the_rank_and_none_where_unknown() {
        assert_eq!(loss_floor(256, 255, 0.0051), Some(0.0));
        assert!(loss_floor(256, 256, 0.0051).unwrap() > 0.0);
        assert_eq!(loss_floor(256, 8192, 0.0), Some(0.0));
        assert!(loss_floor(256, 8192, 1.0).is_some());
        assert_eq!(loss_floor(256, 8192, 1.0001), None);
        assert_eq!(loss_floor(256, 8192, -0.1), None);
        assert_eq!(loss_floor(256, 8192, f64::NAN), None);
        assert_eq!(loss_floor(1, 8192, 0.0051), None);
        assert!(loss_floor(2, 8192, 0.0051).is_some());
    }

    #[test]
    fn the_start_of_common_shapes() {
        for (n, expected) in [(128, 10_887.0), (256, 9_534.0), (2048, 8_359.0)] {
            let start = loss_start(n, 8192, 0.0051);
            assert!((start - expected).abs() <= 0.5, "N={n}: {start}, expected {expected}");
        }
    }
}
