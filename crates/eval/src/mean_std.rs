//! Mean and standard deviation over seeds.

use std::fmt;

/// Mean and standard deviation of repeated measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanStd {
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (n − 1); `None` for a single measurement, which has none.
    pub std: Option<f64>,
    /// Their number.
    pub count: usize,
}

impl MeanStd {
    /// Of `values`; `None` if there is none. A NaN gives NaN.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let mean = match count {
            0 => return None,
            _ => values.iter().sum::<f64>() / count as f64,
        };
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Some(Self { mean, std, count })
    }
}

/// `71.20 ± 0.31`, or `71.20` of a single measurement; two decimals unless the format asks for others.
impl fmt::Display for MeanStd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(2);
        write!(f, "{:.decimals$}", self.mean)?;
        match self.std {
            Some(std) => write!(f, " ± {std:.decimals$}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let three = MeanStd::of(&[70.0, 72.0, 74.0]).unwrap();
        assert_eq!((three.mean, three.std, three.count), (72.0, Some(2.0), 3));
        assert_eq!(three.to_string(), "72.00 ± 2.00");
        assert_eq!(format!("{three:.1}"), "72.0 ± 2.0");
    }

    #[test]
    fn one_measurement_has_no_deviation_and_none_no_mean() {
        let one = MeanStd::of(&[0.5]).unwrap();
        assert_eq!((one.std, one.to_string()), (None, "0.50".to_owned()));
        assert_eq!(MeanStd::of(&[]), None);
        assert!(MeanStd::of(&[1.0, f64::NAN]).unwrap().mean.is_nan());
    }
}
