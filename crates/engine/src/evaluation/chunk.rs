//! The batch size of an evaluation.

use crate::config::Config;

/// The largest batch size of an evaluation; it does not affect the features.
const LARGEST_CHUNK: usize = 256;

/// The batch size of an evaluation: what fits in training fits here, and its shapes are tuned already.
pub fn evaluation_chunk(config: &Config) -> usize {
    let batch = config.train.micro_batch.unwrap_or(config.train.batch_size);
    batch.min(LARGEST_CHUNK)
}
