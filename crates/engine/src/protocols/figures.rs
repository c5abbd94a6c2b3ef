//! The numbers of an evaluation by name, and their mean and standard deviation over seeds or runs.

use barlow_eval::MeanStd;
use std::collections::BTreeMap;
use std::fmt;

/// Numbers by name, such as `linear_top1`; `None` where one is not defined.
pub type Figures = BTreeMap<&'static str, Option<f64>>;

/// A number over seeds or runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean; `None` if the number is not defined for one of them.
    pub mean: Option<f64>,
    /// The sample standard deviation; `None` for a single measurement.
    pub std: Option<f64>,
    /// How many were measured.
    pub count: usize,
}

impl Spread {
    /// Of a number's values.
    pub fn of(values: &[Option<f64>]) -> Self {
        let defined: Option<Vec<f64>> = values.iter().copied().collect();
        let mean = defined.and_then(|values| MeanStd::of(&values));
        Self {
            mean: mean.map(|mean| mean.mean),
            std: mean.and_then(|mean| mean.std),
            count: values.len(),
        }
    }
}

/// `0.7120`, `0.7120 ± 0.0031 over 3`, or `not defined`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mean, self.std) {
            (None, _) => f.write_str("not defined"),
            (Some(mean), None) => write!(f, "{mean:.4}"),
            (Some(mean), Some(std)) => write!(f, "{mean:.4} ± {std:.4} over {}", self.count),
        }
    }
}

/// Every number over several measurements, which have the same names.
pub fn spreads<'a>(measured: impl IntoIterator<Item = &'a Figures>) -> BTreeMap<&'static str, Spread> {
    let mut values: BTreeMap<&'static str, Vec<Option<f64>>> = BTreeMap::new();
    for figures in measured {
        for (&name, &value) in figures {
            values.entry(name).or_default().push(value);
        }
    }
    let spread = |(name, values): (&'static str, Vec<Option<f64>>)| (name, Spread::of(&values));
    values.into_iter().map(spread).collect()
}

/// The means under the numbers' names, and the deviations under `NAME_std` where there are any.
pub(super) fn as_json(spreads: &BTreeMap<&'static str, Spread>) -> BTreeMap<String, Option<f64>> {
    let mut out = BTreeMap::new();
    for (name, spread) in spreads {
        out.insert((*name).to_owned(), spread.mean);
        if spread.count > 1 {
            out.insert(format!("{name}_std"), spread.std);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_averaged_by_name_and_an_undefined_one_is_not_zero() {
        let measured: [Figures; 2] = [
            [("a", Some(0.25)), ("b", None)].into(),
            [("a", Some(0.75)), ("b", Some(1.0))].into(),
        ];
        let spreads = spreads(&measured);
        assert_eq!(spreads["a"].to_string(), "0.5000 ± 0.3536 over 2");
        assert_eq!(spreads["b"].to_string(), "not defined");
        assert_eq!(Spread::of(&[Some(0.5)]).to_string(), "0.5000");
        let json = as_json(&spreads);
        assert_eq!(json.keys().collect::<Vec<_>>(), ["a", "a_std", "b", "b_std"]);
        assert_eq!((json["a"], json["b"]), (Some(0.5), None));
    }
}
