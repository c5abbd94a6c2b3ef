//! The memory estimate of a training step, made before anything is allocated.
//!
//! For choosing a batch size: it counts what is live at the end of the forward pass. The backend's own reserve and scratch
//! memory come on top: on the CPU the process takes a quarter to a half more. Based on the config alone.

use super::Parameters;
use crate::config::{Config, rule};
use crate::method::{MethodSpec, Outlook};
use crate::units::bytes;
use barlow_data::LoaderConfig;
use barlow_model::{HeadNorm, LayerConfig};

const F32: u64 = 4;

/// Bytes on the device and on the host, by purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Weights, their gradients and the optimiser's buffers; a teacher's weights.
    pub parameters: u64,
    /// What the forward passes of all views save for the backward pass, or those of a micro-batch of one pass; for a custom
    /// backbone the heads' part only.
    pub activations: u64,
    /// The loss at its peak, embeddings included.
    pub loss: u64,
    /// On the host: batches of views, finished and in work, before they reach the device.
    pub queue: u64,
    /// On the host: rows and scores of all training images, for a method that sees them all at once.
    pub whole_set: u64,
}

impl Memory {
    /// Checks the estimate against a machine with `available` bytes; `on_host` where the device's memory is the host's too.
    ///
    /// # Errors
    /// A one-line error if it cannot be enough.
    pub fn check(&self, available: u64, on_host: bool) -> Result<(), String> {
        if self.queue + self.whole_set > available && self.whole_set > self.queue {
            return Err(format!(
                "scores and features of all training images take {} of host memory and this machine has {}; lower the method's labels \
                 or the width of the projector's last input, or train on fewer images (data.train_fraction)",
                bytes(self.whole_set),
                bytes(available)
            ));
        }
        if self.queue > available {
            return Err(format!(
                "batches of views take {} of host memory ahead of the device and this machine has {}; lower data.queue, or pass a \
                 smaller --batch-size",
                bytes(self.queue),
                bytes(available)
            ));
        }
        let all = self.total() + self.queue + self.whole_set;
        if !on_host || all <= available {
            return Ok(());
        }
        Err(format!(
            "a step takes at least {} of memory, {} of it for batches of views in the queue, and this machine has {}; pass a smaller \
             --batch-size, set train.micro_batch, or lower data.queue, model.width, views.size or model.projector",
            bytes(all),
            bytes(self.queue),
            bytes(available)
        ))
    }

    /// The estimate for a step of `config` by a method on a set of `images` training images.
    pub fn estimate(
        config: &Config,
        spec: &MethodSpec,
        outlook: &Outlook,
        parameters: Parameters,
        images: usize,
    ) -> Self {
        let n = config.train.batch_size as u64;
        let micro_batch = config
            .train
            .micro_batch
            .filter(|&images| images < config.train.batch_size);
        let sizes = spec.sizes_of_views();
        let heads = layers_kept(&spec.heads.projector.layers);
        // Saved for each view of an image: the backbone's maps and the projector's layers.
        let of_view = |size: usize| {
            let backbone = config
                .backbone()
                .map_or(0, |backbone| backbone.feature_dim() + backbone.kept_values(size));
            (backbone + heads) as u64
        };
        let of_pass = |pass: &Vec<usize>| pass.iter().map(|&view| of_view(sizes[view])).sum::<u64>();
        let passes = spec.passes_of_views();
        let activations = match micro_batch {
            // All passes at once, or a micro-batch of the largest one.
            None => n * passes.iter().map(of_pass).sum::<u64>(),
            Some(images) => images as u64 * passes.iter().map(of_pass).max().unwrap_or(0),
        };
        // Predictor and prototypes see the whole batch of each view.
        let predictor = spec
            .heads
            .predictor
            .as_ref()
            .map_or(0, |head| layers_kept(&head.layers));
        let prototypes: usize = spec.heads.prototypes.iter().map(|prototypes| prototypes.count).sum();
        let extra = n * (sizes.len() * (predictor + prototypes)) as u64;
        let trained = (parameters.backbone + parameters.heads) as u64;
        let teacher = u64::from(spec.teacher.is_some()) * trained;
        let image = |size: usize| (config.model.in_channels * size * size) as u64;
        let batch = n * sizes.iter().map(|&size| image(size)).sum::<u64>();
        Self {
            parameters: F32 * ((2 + rule(config).buffers() as u64) * trained + teacher),
            activations: F32 * (activations + extra),
            loss: F32 * outlook.peak_values,
            queue: F32 * batch * loader_config(config).batches_in_memory() as u64,
            whole_set: whole_set(config, spec) * images as u64,
        }
    }

    /// The total on the device.
    pub fn total(&self) -> u64 {
        self.parameters + self.activations + self.loss
    }
}

/// Bytes of an image on the host while a method sees the whole training set: the input of the projector's last layer, the scores, and
/// the old and the new label of each head.
fn whole_set(config: &Config, spec: &MethodSpec) -> u64 {
    let Some(scores) = spec.whole_set_scores.filter(|&scores| scores > 0) else {
        return 0;
    };
    let layers = &spec.heads.projector.layers;
    let row = match layers.len().checked_sub(2) {
        Some(hidden) => layers[hidden].width,
        None => config.backbone().map_or(0, |backbone| backbone.feature_dim()),
    };
    let heads = spec.heads.embedding_width() / scores;
    F32 * row as u64 + 8 * scores as u64 + 2 * F32 * heads as u64
}

/// How a config's batches are made.
pub fn loader_config(config: &Config) -> LoaderConfig {
    LoaderConfig {
        batch_size: config.train.batch_size,
        workers: config.data.workers(),
        queue: config.data.queue,
        seed: config.run.seed,
        drop_last: true,
        bad_images: config.data.bad_images,
    }
}

/// Values that a head's layers save per image: a linear layer's output, and its activation where there is one. The last bare
/// layer's output is the loss's.
fn layers_kept(layers: &[LayerConfig]) -> usize {
    let is_bare =
        |layer: &LayerConfig| layer.norm == HeadNorm::None && layer.activation == barlow_model::Activation::None;
    layers
        .iter()
        .map(|layer| if is_bare(layer) { 0 } else { 2 * layer.width })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackboneKind, OptimizerKind};
    use crate::methods::MethodKind;

    #[test]
    fn what_cannot_fit_is_one_line() {
        let memory = Memory {
            parameters: 1 << 30,
            activations: 5 << 30,
            loss: 1 << 30,
            queue: 1 << 30,
            whole_set: 0,
        };
        assert_eq!(memory.check(8 << 30, true), Ok(()));
        let line = memory.check((8 << 30) - 1, true).unwrap_err();
        assert!(
            line.starts_with("a step takes at least 8.0 GiB of memory, 1.0 GiB"),
            "{line}"
        );
        // A GPU's memory is not the host's.
        assert_eq!(memory.check(1 << 30, false), Ok(()));
        let line = memory.check((1 << 30) - 1, false).unwrap_err();
        assert!(line.contains("data.queue"), "{line}");
        let labels = Memory {
            whole_set: 31 << 30,
            ..memory
        };
        let line = labels.check(16 << 30, false).unwrap_err();
        assert!(line.contains("take 31 GiB of host memory"), "{line}");
        assert_eq!(labels.check(32 << 30, false), Ok(()));
    }

    fn estimate(config: &Config) -> Memory {
        let parameters = Parameters {
            backbone: 23_508_032,
            heads: 151_027_712,
        };
        let inputs = config.method_inputs(None);
        let definition = config.method_definition();
        Memory::estimate(
            config,
            &definition.spec(&inputs),
            &definition.outlook(&inputs),
            parameters,
            1000,
        )
    }

    #[test]
    fn a_doubled_batch_doubles_the_activations_alone() {
        let mut config = Config::default();
        let one = estimate(&config);
        config.train.batch_size *= 2;
        let two = estimate(&config);
        assert_eq!(2 * one.activations, two.activations);
        assert_eq!(one.parameters, two.parameters);
        // LARS has one buffer: weights, gradients, momentum.
        assert_eq!(one.parameters, 3 * 4 * 174_535_744);
        config.train.micro_batch = Some(16);
        assert_eq!(estimate(&config).activations * 2 * 4096, two.activations * 16);
        config.train.micro_batch = None;
        assert_eq!(one.total(), one.parameters + one.activations + one.loss);
        config.optimizer.kind = OptimizerKind::AdamW;
        assert_eq!(estimate(&config).parameters, 4 * 4 * 174_535_744);
    }

    #[test]
    fn a_vit_s_activations_are_counted() {
        let mut config = Config::default();
        config.model.backbone = BackboneKind::VitSmall;
        config.train.batch_size = 2;
        let heads = 2 * (8192 + 8192);
        // 197 tokens of 384 values in 12 blocks, and the attention of 6 heads.
        let block = 16 * 197 * 384 + 6 * 197 * 197;
        let image = 12 * block + 196 * 3 * 256 + 2 * 197 * 384 + 384 + heads;
        assert_eq!(estimate(&config).activations, 2 * 2 * 4 * image as u64);
        config.model.vit.patch = 8;
        assert!(estimate(&config).activations > 4 * 2 * 2 * 4 * image as u64);
    }

    #[test]
    fn labels_of_the_whole_set_are_counted() {
        let mut config = Config::default();
        assert_eq!(estimate(&config).whole_set, 0);
        config.method.kind = MethodKind::Sela;
        config.method.sela.heads = 10;
        config.model.projector = "30000".into();
        // 2048 features, 3000 scores, an old and a new label of 10 heads.
        assert_eq!(estimate(&config).whole_set, 1000 * (4 * 2048 + 8 * 3000 + 8 * 10));
    }

    #[test]
    fn batches_that_wait_are_counted() {
        let mut config = Config::default();
        config.data.workers = Some(8);
        config.data.queue = 2;
        // 2048 pairs of 224 px: 2.3 GiB a batch; two wait, one is in work, one is the step's.
        assert_eq!(estimate(&config).queue, 4 * 2 * 2048 * 3 * 224 * 224 * 4);
        config.data.queue = 5;
        assert_eq!(estimate(&config).queue, 7 * 2 * 2048 * 3 * 224 * 224 * 4);
    }
}
