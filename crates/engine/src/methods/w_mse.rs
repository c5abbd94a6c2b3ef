//! W-MSE (Ermolov, Siarohin, Sangineto, Sebe 2021, arXiv 2007.06346) of two views, with the official code's loss and head.

use super::readings::of_pair;
use crate::backend::TrainBackend;
use crate::method::{
    Chart, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError, MethodPlan,
    MethodSpec, Outlook, two,
};
use barlow_data::shuffled_indices;
use barlow_loss::w_mse;
use barlow_model::{Heads, HeadsConfig};
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "w-mse";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "pulls two views together after each sub-batch is whitened, which rules a collapse out",
    source: "Ermolov, Siarohin, Sangineto, Sebe 2021, arXiv 2007.06346; htdt/self-supervised methods/w_mse.py",
    recipes: &["sign-digits-w-mse"],
    keys: "[method.w-mse]",
    charts: &[Chart {
        title: "Alignment and uniformity",
        readings: &["alignment", "uniformity", "unit_deviation"],
        log: false,
    }],
};

/// Added to the run's seed by exclusive or: the sub-batches' order is another one than the images' of an epoch.
const ORDER_STREAM: u64 = 0x772d_6d73_6500;

/// `[method.w-mse]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Images that are whitened together: more than D, and the batch is a whole number of them. Default: 2 D as in the official
    /// code if the batch is whole with it, else the batch.
    pub sub_batch: Option<usize>,
    /// Times that the batch is divided anew in a step (≥ 1); the loss is their mean.
    pub iterations: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sub_batch: None,
            iterations: 1,
        }
    }
}

impl Config {
    fn sub_batch(&self, inputs: &MethodInputs) -> usize {
        let (n, double) = (inputs.batch_size, 2 * inputs.projector.output_width());
        let whole = if n.is_multiple_of(double) { double } else { n };
        self.sub_batch.unwrap_or(whole)
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_width(NAME, "sub_batch", self.sub_batch.unwrap_or(1))?;
        MethodKeyError::check_width(NAME, "iterations", self.iterations)
    }

    fn check(&self, inputs: &MethodInputs) -> Result<(), MethodKeyError> {
        let (n, d, w) = (
            inputs.batch_size,
            inputs.projector.output_width(),
            self.sub_batch(inputs),
        );
        if w > d && n.is_multiple_of(w) {
            return Ok(());
        }
        let allowed = format!(
            "it must be more than the width of the embeddings, {d}, and divide train.batch_size, {n}; lower model.projector (official \
             1024-64) or raise the batch"
        );
        Err(MethodKeyError::new(NAME, "sub_batch", w, &allowed))
    }

    /// As the official head: every layer has a bias.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let mut projector = inputs.projector.clone();
        for layer in &mut projector.layers {
            layer.bias = true;
        }
        MethodSpec::plain(NAME, inputs.views.clone(), HeadsConfig::new(projector))
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        Outlook {
            settings: format!(
                "sub-batches of {}, {} times a step",
                self.sub_batch(inputs),
                self.iterations
            ),
            floor: Some(0.0),
            // Orthogonal embeddings.
            start: Some(2.0),
            // The Gram-Schmidt process keeps what is left of each view after each of its D features: N D²/2 values, twice.
            peak_values: (self.iterations * 2 * n * d * (d + 4) + 3 * n * n) as u64,
            tensors: Vec::new(),
        }
    }
}

/// W-MSE on two views.
struct WMse {
    sub_batch: usize,
    iterations: usize,
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(WMse {
        sub_batch: config.sub_batch(inputs),
        iterations: config.iterations,
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for WMse {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, _heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let [z_a, z_b] = two(batch.embeddings);
        let (n, device) = (z_a.dims()[0], z_a.device());
        let readings = of_pair([&z_a, &z_b]);
        let terms = (0..self.iterations).map(|iteration| {
            let number = batch.clock.step * self.iterations as u64 + iteration as u64;
            let order: Vec<i64> = shuffled_indices(n, batch.seed ^ ORDER_STREAM, number)
                .into_iter()
                .map(|row| row as i64)
                .collect();
            let order = Tensor::<B, 1, Int>::from_data(order.as_slice(), &device);
            w_mse(z_a.clone(), z_b.clone(), order, self.sub_batch)
        });
        let total = terms.reduce(|sum, term| sum + term).expect("at least one division");
        LossOutput {
            loss: total / self.iterations as f64,
            readings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::ViewsConfig;
    use barlow_model::ProjectorConfig;

    #[test]
    fn sub_batches_are_twice_as_large_as_the_embeddings_or_the_batch() {
        let inputs = |batch_size: usize, d: usize| MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: ProjectorConfig { widths: vec![32, d] }.mlp(true),
            batch_size,
            largest_buffer: None,
        };
        let config = Config::default();
        assert_eq!(config.sub_batch(&inputs(64, 16)), 32);
        assert_eq!(config.sub_batch(&inputs(40, 16)), 40);
        assert_eq!(config.check(&inputs(40, 16)), Ok(()));
        let line = config.check(&inputs(16, 16)).unwrap_err().to_string();
        assert!(
            line.contains("method.w-mse.sub_batch") && line.contains("train.batch_size, 16"),
            "{line}"
        );
        let given = Config {
            sub_batch: Some(24),
            ..config
        };
        assert!(given.check(&inputs(64, 16)).is_err() && given.check(&inputs(48, 16)).is_ok());
    }
}
