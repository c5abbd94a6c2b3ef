//! An axis of a chart: maps values to positions in [0, 1] and chooses round ticks.

/// A range of values, linear or logarithmic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// The axis that covers all finite `values` (with `log`, the positive ones); `None` if there are none.
    pub fn new(values: impl Iterator<Item = f64>, log: bool) -> Option<Self> {
        let shown = values.filter(|&value| is_shown(value, log));
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low > high {
            return None;
        }
        // A range of zero width, or one below floating-point resolution, is widened.
        let (low, high) = match (log, high - low <= 1e-9 * high.abs().max(low.abs())) {
            (_, false) => (low, high),
            (true, true) => (low / 2.0, high * 2.0),
            (false, true) if high == 0.0 => (-1.0, 1.0),
            (false, true) => (low - 0.1 * low.abs(), high + 0.1 * high.abs()),
        };
        Some(Self { low, high, log })
    }

    /// The axis with a margin of 5 % at both ends; a linear one that starts at 0 or above does not extend below 0.
    pub fn with_margin(self) -> Self {
        if self.log {
            let factor = (self.high / self.low).powf(0.05);
            return Self {
                low: self.low / factor,
                high: self.high * factor,
                ..self
            };
        }
        let margin = 0.05 * (self.high - self.low);
        let low = self.low - margin;
        Self {
            low: if self.low >= 0.0 { low.max(0.0) } else { low },
            high: self.high + margin,
            ..self
        }
    }

    /// Position of `value`: 0 at the low end, 1 at the high end; `None` if it cannot be shown.
    pub fn position(&self, value: f64) -> Option<f64> {
        let scale = |value: f64| if self.log { value.ln() } else { value };
        is_shown(value, self.log).then(|| (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low)))
    }

    /// About five round values inside the range, with their labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let powers = if self.log { self.log_ticks() } else { None };
        // The label of a power of ten needs the decimals of its magnitude, the label of a linear tick those of the step.
        let own_size = powers.is_some();
        let values = powers.unwrap_or_else(|| linear_ticks(self.low, self.high));
        let step = values
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .fold(f64::INFINITY, f64::min);
        values
            .into_iter()
            .map(|value| (value, tick_text(value, if own_size { value } else { step })))
            .collect()
    }

    /// Powers of ten, thinned if there are many, with their multiples by 2 and 5 if there are few; `None` if the range is too
    /// narrow for them.
    fn log_ticks(&self) -> Option<Vec<f64>> {
        let decades = (self.low.log10().floor() as i32..=self.high.log10().ceil() as i32).collect::<Vec<_>>();
        let inside = |value: &f64| (self.low..=self.high).contains(value);
        let every = decades.len().div_ceil(7);
        let powers: Vec<f64> = decades
            .iter()
            .filter(|&&d| d.rem_euclid(every as i32) == 0)
            .map(|&d| 10f64.powi(d))
            .filter(inside)
            .collect();
        if powers.len() > 3 {
            return Some(powers);
        }
        let fine = decades
            .iter()
            .flat_map(|&d| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(d)));
        let fine: Vec<f64> = fine.filter(inside).collect();
        (fine.len() >= 3).then_some(fine)
    }
}

fn is_shown(value: f64, log: bool) -> bool {
    value.is_finite() && (!log || value > 0.0)
}

/// Multiples of 1, 2 or 5 times a power of ten: three to eight of them.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let factor = match rough / power {
        small if small < 1.5 => 1.0,
        small if small < 3.5 => 2.0,
        small if small < 7.5 => 5.0,
        _ => 10.0,
    };
    let step = power * factor;
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    (0..=(last - first).clamp(0.0, 20.0) as usize)
        .map(|k| (first + k as f64) * step)
        .collect()
}

/// `value` with the decimals that `step` needs; scientific notation for very large and very small values.
fn tick_text(value: f64, step: f64) -> String {
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    if value == 0.0 {
        "0".into()
    } else if value.abs() >= 1e6 || decimals > 5 {
        let text = format!("{value:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
    } else if value.abs() >= 1e4 && step >= 1e3 {
        format!("{:.0}k", value / 1e3)
    } else {
        format!("{value:.decimals$}")
    }
}

/// A number with four significant digits.
pub(crate) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "non-finite".into();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let decimals = if size == 0.0 {
        0
    } else {
        (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, log: bool) -> Vec<String> {
        Axis::new([low, high].into_iter(), log)
            .unwrap()
            .ticks()
            .into_iter()
            .map(|(_, text)| text)
            .collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(texts(0.0, 1.0, false), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(3.0, 1234.0, false), ["200", "400", "600", "800", "1000", "1200"]);
        assert_eq!(
            texts(-0.3, 0.3, false),
            ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3"]
        );
        assert_eq!(texts(0.0, 50_000.0, false), ["0", "10k", "20k", "30k", "40k", "50k"]);
        assert_eq!(
            texts(0.0, 3e7, false),
            ["0", "5e6", "1e7", "1.5e7", "2e7", "2.5e7", "3e7"]
        );
        assert_eq!(texts(90.0, 9000.0, true), ["100", "200", "500", "1000", "2000", "5000"]);
        assert_eq!(
            texts(1e-3, 1e3, true),
            ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]
        );
        assert_eq!(texts(101.0, 109.0, true), ["102", "104", "106", "108"]);
        assert_eq!(
            texts(30.3, 31.4, true),
            ["30.4", "30.6", "30.8", "31.0", "31.2", "31.4"]
        );
    }

    #[test]
    fn positions_run_from_0_to_1() {
        let linear = Axis::new([2.0, f64::NAN, 6.0, f64::INFINITY].into_iter(), false).unwrap();
        assert_eq!(
            [2.0, 4.0, 6.0].map(|v| linear.position(v)),
            [Some(0.0), Some(0.5), Some(1.0)]
        );
        assert_eq!(linear.position(f64::NAN), None);
        let log = Axis::new([1.0, 100.0, -5.0, 0.0].into_iter(), true).unwrap();
        assert!((log.position(10.0).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(log.position(0.0), None);
    }

    #[test]
    fn empty_and_degenerate_ranges() {
        assert_eq!(Axis::new([f64::NAN].into_iter(), false), None);
        assert_eq!(Axis::new([-1.0, 0.0].into_iter(), true), None);
        for value in [0.0, 5.0, -3.0, 1e-12, 1e12] {
            let axis = Axis::new([value].into_iter(), false).unwrap().with_margin();
            assert!((0.2..=0.8).contains(&axis.position(value).unwrap()), "{axis:?}");
            assert!((2..=12).contains(&axis.ticks().len()), "{axis:?}");
        }
        let log = Axis::new([7.0].into_iter(), true).unwrap().with_margin();
        assert!(log.ticks().len() >= 2);
    }

    #[test]
    fn numbers_have_four_significant_digits() {
        let table = [
            (0.0, "0"),
            (0.84213, "0.8421"),
            (1234.56, "1235"),
            (12.5, "12.5"),
            (3e-5, "3.000e-5"),
            (1e7, "1.000e7"),
        ];
        for (value, expected) in table {
            assert_eq!(short(value), expected);
        }
        assert_eq!(short(f64::NAN), "non-finite");
    }
}
