//! Range checks of every value of a view's pipeline.
//!
//! Everything is checked once, before any image is touched; the operations then rely on it. This file must not change
//! values: what is out of range is an error, never clipped silently.

use crate::{ConfigError, ViewConfig};

impl ViewConfig {
    /// Checks every value; `section` (such as `views.a`) is the prefix of the key in the error.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key out of range.
    pub fn validate(&self, section: &str) -> Result<(), ConfigError> {
        let one = |key: &str, value: f64, allowed: &str, holds: bool| {
            if holds {
                Ok(())
            } else {
                Err(ConfigError::new(format!("{section}.{key}"), value, allowed))
            }
        };
        let pair = |key: &str, [low, high]: [f64; 2], allowed: &str, smallest: f64, largest: f64| {
            // Written so that a NaN fails: every comparison with it is false.
            if low > smallest && low <= high && high <= largest {
                return Ok(());
            }
            Err(ConfigError::new(
                format!("{section}.{key}"),
                format!("[{low}, {high}]"),
                allowed,
            ))
        };
        let probability = |key, value: f64| one(key, value, "a probability in [0, 1]", (0.0..=1.0).contains(&value));
        let strength = |key, value: f64| one(key, value, "a strength in [0, 100]", (0.0..=100.0).contains(&value));

        pair(
            "crop_scale",
            self.crop_scale,
            "[low, high] with 0 < low <= high <= 1",
            0.0,
            1.0,
        )?;
        pair(
            "crop_ratio",
            self.crop_ratio,
            "[low, high] with 0 < low <= high <= 1000",
            0.0,
            1000.0,
        )?;
        probability("flip", self.flip)?;
        probability("greyscale", self.greyscale)?;
        probability("solarize", self.solarize)?;
        probability("jitter.p", self.jitter.p)?;
        strength("jitter.brightness", self.jitter.brightness)?;
        strength("jitter.contrast", self.jitter.contrast)?;
        strength("jitter.saturation", self.jitter.saturation)?;
        let hue = self.jitter.hue;
        one(
            "jitter.hue",
            hue,
            "a part of the colour circle in [0, 0.5]",
            (0.0..=0.5).contains(&hue),
        )?;
        probability("blur.p", self.blur.p)?;
        pair(
            "blur.sigma",
            self.blur.sigma,
            "[low, high] in pixels with 0 < low <= high <= 1000",
            0.0,
            1000.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A default view changed by `change`, checked.
    fn check(change: impl FnOnce(&mut ViewConfig)) -> Result<(), String> {
        let mut view = ViewConfig::default();
        change(&mut view);
        view.validate("views.a").map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_bad_value_on_each_side_is_refused_and_the_last_good_one_taken() {
        type Setter = fn(&mut ViewConfig, f64);
        let probabilities: [(&str, Setter); 5] = [
            ("flip", |v, x| v.flip = x),
            ("greyscale", |v, x| v.greyscale = x),
            ("solarize", |v, x| v.solarize = x),
            ("jitter.p", |v, x| v.jitter.p = x),
            ("blur.p", |v, x| v.blur.p = x),
        ];
        let strengths: [(&str, Setter); 3] = [
            ("jitter.brightness", |v, x| v.jitter.brightness = x),
            ("jitter.contrast", |v, x| v.jitter.contrast = x),
            ("jitter.saturation", |v, x| v.jitter.saturation = x),
        ];
        let hue: [(&str, Setter); 1] = [("jitter.hue", |v, x| v.jitter.hue = x)];
        for (keys, largest) in [(&probabilities[..], 1.0), (&strengths, 100.0), (&hue, 0.5)] {
            for (key, set) in keys {
                for good in [0.0, largest] {
                    assert_eq!(check(|v| set(v, good)), Ok(()), "{key} = {good}");
                }
                for bad in [-1e-9, largest + 1e-9, f64::NAN, f64::INFINITY] {
                    let error = check(|v| set(v, bad)).unwrap_err();
                    assert!(
                        error.starts_with(&format!("views.a.{key} = {bad} is not allowed: ")),
                        "{error}"
                    );
                }
            }
        }
    }

    #[test]
    fn ranges_must_be_in_order_and_above_zero() {
        for bad in [[0.0, 1.0], [0.5, 0.4], [0.5, 1.001], [f64::NAN, 1.0], [0.5, f64::NAN]] {
            assert!(check(|v| v.crop_scale = bad).is_err(), "{bad:?}");
        }
        assert_eq!(check(|v| v.crop_scale = [1.0, 1.0]), Ok(()));
        for bad in [[0.0, 1.0], [-1.0, 1.0], [2.0, 1.0], [1.0, f64::INFINITY]] {
            assert!(
                check(|v| v.crop_ratio = bad).is_err() && check(|v| v.blur.sigma = bad).is_err(),
                "{bad:?}"
            );
        }
        assert_eq!(
            check(|v| v.blur.sigma = [0.0, 2.0]).unwrap_err(),
            "views.a.blur.sigma = [0, 2] is not allowed: [low, high] in pixels with 0 < low <= high <= 1000"
        );
    }
}
