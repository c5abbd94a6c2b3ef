//! Micro-batches for the cells whose batch does not fit into the memory.

use crate::config::Config;
use crate::plan::{Memory, Parameters};

/// The smallest micro-batch that is chosen: batch norm inside the network sees only this many images.
const SMALLEST: usize = 16;

/// Halves the micro-batch until the estimate of a step is at most `limit` bytes, down to 16 images. A config that sets
/// `train.micro_batch` stays as it is.
pub(super) fn fit_into_memory(config: &mut Config, limit: u64) {
    if config.train.micro_batch.is_some() {
        return;
    }
    let batch = config.train.batch_size;
    let mut images = batch;
    while step_bytes(config) > limit && images.is_multiple_of(2) && images / 2 >= SMALLEST {
        images /= 2;
        config.train.micro_batch = Some(images);
    }
    // What micro-batches cannot help is for the run's own check to say.
    if step_bytes(config) > limit {
        config.train.micro_batch = None;
    }
}

/// The estimate of a step without the weights of the backbone, which are few beside its activations.
fn step_bytes(config: &Config) -> u64 {
    let inputs = config.method_inputs(None);
    let method = config.method_definition();
    let widths = config.projector().widths;
    let features = config.backbone().map_or(0, |backbone| backbone.feature_dim());
    let inner = std::iter::once(&features).chain(&widths);
    let heads = inner.zip(&widths).map(|(from, to)| from * to).sum();
    let parameters = Parameters { backbone: 0, heads };
    // Of a batch alone: micro-batches do not change what a pass over the whole set takes.
    let images = config.train.batch_size;
    Memory::estimate(
        config,
        &method.spec(&inputs),
        &method.outlook(&inputs),
        parameters,
        images,
    )
    .total()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_are_chosen_where_they_help_alone() {
        let mut config = Config::default();
        config.train.batch_size = 512;
        let whole = step_bytes(&config);
        fit_into_memory(&mut config, whole);
        assert_eq!(config.train.micro_batch, None);
        fit_into_memory(&mut config, whole / 2);
        let images = config.train.micro_batch.expect("half the memory needs them");
        assert!(
            images < 512 && 512 % images == 0 && step_bytes(&config) <= whole / 2,
            "{images}"
        );
        let mut config = Config::default();
        fit_into_memory(&mut config, 1);
        assert_eq!(config.train.micro_batch, None, "nothing fits into a byte");
        config.train.micro_batch = Some(64);
        fit_into_memory(&mut config, 1);
        assert_eq!(config.train.micro_batch, Some(64), "the user's");
    }
}
