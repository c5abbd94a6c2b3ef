//! Configuration of the views: the `views` section of a config file.
//!
//! A preset gives all values; keys under `views.a` and `views.b` override single ones (see [`crate::ViewOverrides`]).
//! This file must not apply anything to an image.

use serde::{Deserialize, Serialize};

use crate::{ConfigError, MAX_SIDE, ViewConfig, ViewGroup, ViewOverrides, ViewPreset};

/// The `views` section: `views.preset`, `views.size`, `views.a.*`, `views.b.*`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewsConfig {
    /// The preset of all values that are not given under `a` and `b`.
    pub preset: ViewPreset,
    /// Side of both (square) views in pixels.
    pub size: usize,
    /// Values of view a that differ from the preset.
    pub a: ViewOverrides,
    /// Values of view b that differ from the preset.
    pub b: ViewOverrides,
}

impl Default for ViewsConfig {
    /// The official views: 224 pixels, preset `imagenet`.
    fn default() -> Self {
        Self {
            preset: ViewPreset::Imagenet,
            size: 224,
            a: ViewOverrides::default(),
            b: ViewOverrides::default(),
        }
    }
}

impl ViewsConfig {
    /// The complete pipelines of view a and view b: the preset's with the overrides applied. Not validated.
    #[must_use]
    pub fn resolve(&self) -> (ViewConfig, ViewConfig) {
        let (a, b) = self.preset.views();
        (self.a.over(a), self.b.over(b))
    }

    /// The same config with every value written out, as a run stores it: its meaning does not change if a preset changes.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let (a, b) = self.resolve();
        Self {
            a: a.into(),
            b: b.into(),
            ..self.clone()
        }
    }

    /// The groups that [`crate::Views`] takes: `a` and `b`, one view of [`ViewsConfig::size`] pixels each. Not validated.
    #[must_use]
    pub fn groups(&self) -> Vec<ViewGroup> {
        let (a, b) = self.resolve();
        let group = |(name, view): (&str, ViewConfig)| ViewGroup {
            name: name.into(),
            count: 1,
            size: self.size,
            view,
        };
        [("a", a), ("b", b)].map(group).into()
    }

    /// Checks the size and both resolved views.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_SIDE).contains(&self.size) {
            return Err(ConfigError::new(
                "views.size",
                self.size,
                format!("a number of pixels in [1, {MAX_SIDE}]"),
            ));
        }
        let (a, b) = self.resolve();
        a.validate("views.a")?;
        b.validate("views.b")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JitterConfig, JitterOverrides};

    #[test]
    fn an_override_replaces_one_value_of_one_view() {
        let mut config = ViewsConfig {
            preset: ViewPreset::Cifar,
            ..Default::default()
        };
        config.b.jitter = JitterOverrides {
            hue: Some(0.25),
            ..Default::default()
        };
        let (a, b) = config.resolve();
        assert_eq!(a, ViewPreset::Cifar.views().0);
        assert_eq!(
            b.jitter,
            JitterConfig {
                hue: 0.25,
                ..JitterConfig::default()
            }
        );
        assert_eq!(config.resolved().resolve(), (a, b));
        assert_eq!(config.resolved().resolved(), config.resolved());
    }

    #[test]
    fn the_view_that_is_wrong_and_a_size_of_zero_are_named() {
        let mut config = ViewsConfig::default();
        assert_eq!(config.validate(), Ok(()));
        config.b.flip = Some(2.0);
        assert_eq!(config.validate().unwrap_err().key, "views.b.flip");
        for size in [0, MAX_SIDE + 1] {
            let error = ViewsConfig {
                size,
                ..Default::default()
            }
            .validate()
            .unwrap_err();
            assert_eq!((error.key.as_str(), error.value), ("views.size", size.to_string()));
        }
    }

    #[test]
    fn presets_are_written_in_kebab_case() {
        for (name, preset) in [
            ("imagenet", ViewPreset::Imagenet),
            ("cifar", ViewPreset::Cifar),
            ("no-greyscale", ViewPreset::NoGreyscale),
            ("no-jitter", ViewPreset::NoJitter),
            ("crop-blur", ViewPreset::CropBlur),
            ("crop-only", ViewPreset::CropOnly),
        ] {
            let config: ViewsConfig = toml::from_str(&format!("preset = \"{name}\"")).unwrap();
            assert_eq!(config.preset, preset);
            assert_eq!(config.validate(), Ok(()));
        }
    }
}
