//! Mean, standard deviation, and Welch's t-test for the means of two small samples.

/// A sample's size, mean and standard deviation (of the sample, n − 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub n: usize,
    pub mean: f64,
    pub deviation: f64,
}

impl Sample {
    /// Of finite values; `None` without any.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 };
        (n > 0).then_some(Self { n, mean, deviation })
    }
}

/// The probability of a difference of means at least this large if both samples had the same mean: Welch's t-test, two-sided.
/// `None` if a sample has fewer than two values, or neither varies.
pub(crate) fn welch(a: Sample, b: Sample) -> Option<f64> {
    if a.n < 2 || b.n < 2 {
        return None;
    }
    let (va, vb) = (a.deviation.powi(2) / a.n as f64, b.deviation.powi(2) / b.n as f64);
    if va + vb <= 0.0 {
        return None;
    }
    let t = (a.mean - b.mean) / (va + vb).sqrt();
    let freedom = (va + vb).powi(2) / (va.powi(2) / (a.n - 1) as f64 + vb.powi(2) / (b.n - 1) as f64);
    Some(incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5))
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz's method).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast below the mean; above it, by symmetry.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let tiny = 1e-300;
    let guard = |value: f64| if value.abs() < tiny { tiny } else { value };
    let (mut c, mut d) = (1.0, 1.0 / guard(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..300 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for numerator in [even, odd] {
            d = 1.0 / guard(1.0 + numerator * d);
            c = guard(1.0 + numerator / c);
            fraction *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front * fraction
}

/// ln Γ(x) for x > 0, by Lanczos' approximation (g = 7, nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let series = TERMS.iter().zip(1..).fold(0.999_999_999_999_809_9, |sum, (term, at)| {
        sum + term / (x + f64::from(at))
    });
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `stats.ttest_ind(a, b, equal_var=False).pvalue`.
    #[test]
    fn probabilities_are_scipy_s() {
        let table: [(&[f64], &[f64], f64); 4] = [
            (&[0.91, 0.93, 0.92], &[0.88, 0.89, 0.87], 0.008049893100837719),
            (&[1.0, 2.0, 3.0, 4.0], &[2.0, 2.5], 0.7375654689245531),
            (&[0.5, 0.6], &[0.5, 0.61], 0.9525374478600775),
            (&[10.0, 10.1, 9.9, 10.05, 9.95], &[12.0, 8.0, 10.0], 1.0),
        ];
        for (a, b, expected) in table {
            let p = welch(Sample::of(a).unwrap(), Sample::of(b).unwrap()).unwrap();
            assert!((p - expected).abs() < 1e-9, "{a:?} {b:?}: {p}, not {expected}");
        }
    }

    #[test]
    fn what_cannot_be_tested_has_no_probability() {
        let one = Sample::of(&[0.5, f64::NAN]).unwrap();
        let same = Sample::of(&[0.5, 0.5]).unwrap();
        assert_eq!((one.n, one.deviation), (1, 0.0));
        assert_eq!([welch(one, same), welch(same, same)], [None, None]);
        assert_eq!(Sample::of(&[]), None);
    }
}
