//! The resolved config, with every value settled: a run uses and stores it.

use super::{Config, DataPathError, Normalize, NormalizeName, locate_data, settle_rates};
use barlow_augment::Normalization;
use std::ops::Deref;

/// A validated config with every value settled: rates and view pipelines written out, the data set's folder absolute, channel
/// statistics as numbers. Resolved once and held in one place; a run stores it as `config.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedConfig {
    config: Config,
    rates_given: bool,
}

impl ResolvedConfig {
    /// Resolves rates and views of a validated config. The data set's folder stays as it is: call this directly if the images do
    /// not come from the config.
    pub fn new(mut config: Config) -> Self {
        let rates_given = config.optimizer.learning_rate_weights.is_some();
        settle_rates(&mut config);
        config.views = config.views.resolved();
        Self { config, rates_given }
    }

    /// The same with the data set's folder found and absolute, so that the run can be resumed from any working directory.
    ///
    /// # Errors
    /// [`DataPathError`].
    pub fn with_data_located(mut self) -> Result<Self, DataPathError> {
        let found = locate_data(&self.config.data.path)?;
        let absolute = std::path::absolute(&found).unwrap_or(found);
        if absolute.to_str().is_none() {
            return Err(DataPathError::NotUnicode(absolute));
        }
        self.config.data.path = absolute;
        if let Some(root) = &self.config.data.list_root {
            let absolute = std::path::absolute(root).unwrap_or_else(|_| root.clone());
            self.config.data.list_root = Some(absolute);
        }
        Ok(self)
    }

    /// The same with `data.normalize = "data"` replaced by the statistics that were computed: later evaluations on other images
    /// must see pixels as this network was trained on them.
    pub fn with_statistics(self, statistics: &Normalization) -> Self {
        let Normalization { mean, std } = statistics.clone();
        self.with_data_normalized_by(Normalize::Given { mean, std })
    }

    /// The same with `data.normalize = "data"` replaced by the statistics that a run has stored.
    pub fn with_statistics_of(self, stored: &Config) -> Self {
        self.with_data_normalized_by(stored.data.normalize.clone())
    }

    fn with_data_normalized_by(mut self, statistics: Normalize) -> Self {
        if self.config.data.normalize == Normalize::Named(NormalizeName::Data) {
            self.config.data.normalize = statistics;
        }
        self
    }

    /// Whether the rate of the weights was given rather than chosen by default.
    pub fn rates_given(&self) -> bool {
        self.rates_given
    }
}

impl Deref for ResolvedConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_out_once() {
        let given = Config::default();
        let resolved = ResolvedConfig::new(given.clone());
        assert!(!resolved.rates_given());
        assert_eq!(resolved.optimizer.learning_rate_weights, Some(0.2));
        assert!(resolved.views.a.flip.is_some());
        let again = ResolvedConfig::new((*resolved).clone());
        assert_eq!(*again, *resolved);
        assert!(again.rates_given());
        let mut data = given;
        data.data.normalize = Normalize::Named(NormalizeName::Data);
        let resolved = ResolvedConfig::new(data).with_statistics(&Normalization::imagenet());
        let Normalize::Given { mean, .. } = &resolved.data.normalize else {
            panic!("{:?}", resolved.data.normalize)
        };
        assert_eq!(*mean, Normalization::imagenet().mean);
    }
}
