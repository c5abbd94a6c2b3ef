//! How many images go through the network at once in an evaluation.

use crate::config::Config;

/// The most images that go through the network at once; without influence on the features.
const LARGEST_CHUNK: usize = 256;

/// Images that go through the network at once: what fits in training fits here, and its shapes are tuned already.
pub fn evaluation_chunk(config: &Config) -> usize {
    let batch = config.train.micro_batch.unwrap_or(config.train.batch_size);
    batch.min(LARGEST_CHUNK)
}
