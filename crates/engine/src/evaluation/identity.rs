//! What an evaluation was of: a hash of the weights, the images and how their pixels are prepared.

use super::chunk::evaluation_chunk;
use crate::config::Config;
use crate::sources::{Sources, fingerprint};
use barlow_model::StateDict;

/// A hash of everything that features depend on but the device: weights, names and labels of training and test images, pixels.
pub fn network_hash(weights: &StateDict, sources: &Sources, config: &Config) -> String {
    let mut hasher = blake3::Hasher::new();
    add_weights_and_images(&mut hasher, weights, sources);
    let pixels = format!(
        "{:?} {:?} {} {}",
        sources.normalization, config.views, config.eval.resize, config.eval.crop
    );
    hasher.update(pixels.as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// A hash of everything that an evaluation of a backbone depends on, with `more`, which names the device: weights, images, pixels, and
/// the settings of kNN and of the probe. Views are not among them, nor is what follows the backbone.
pub fn baseline_hash(weights: &StateDict, sources: &Sources, config: &Config, more: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    add_weights_and_images(&mut hasher, weights, sources);
    // The batch size of an evaluation does not affect the features in exact arithmetic alone.
    let settings = format!(
        "{:?} {:?} {:?} {} {} {more}",
        sources.normalization,
        config.eval,
        config.model.backbone,
        evaluation_chunk(config),
        env!("CARGO_PKG_VERSION")
    );
    hasher.update(settings.as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

fn add_weights_and_images(hasher: &mut blake3::Hasher, weights: &StateDict, sources: &Sources) {
    for (name, tensor) in weights {
        hasher.update(name.as_bytes()).update(&[0]);
        for block in tensor.data.chunks(1 << 14) {
            let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
    }
    for source in std::iter::once(&sources.train).chain(&sources.test) {
        hasher.update(fingerprint(source.as_ref()).as_bytes());
    }
}
