//! How much memory a training step will take, worked out before anything is allocated.
//!
//! An estimate for a person who chooses a batch size: what must be there at once at the end of the forward pass. The backend's
//! own reserve and scratch come on top: on the CPU the process takes a quarter to a half more. Knows the config alone.

use crate::config::{Config, OptimizerKind};
use crate::plan::Parameters;
use barlow_loss::LossForm;

const F32: u64 = 4;

/// Bytes on the device, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Weights, their gradients and the optimiser's buffers.
    pub parameters: u64,
    /// What both views' forward passes keep for the backward pass, or that of a micro-batch; of a backbone of one's own the
    /// projector's part alone.
    pub activations: u64,
    /// The loss at its peak, embeddings included.
    pub loss: u64,
}

impl Memory {
    /// What the estimate says about a machine with `available` bytes: one line when it cannot be enough.
    ///
    /// # Errors
    /// The line.
    pub fn check(&self, available: u64) -> Result<(), String> {
        if self.total() <= available {
            return Ok(());
        }
        Err(format!(
            "a step takes at least {} of memory and this machine has {}; pass a smaller --batch-size, set \
             train.micro_batch, or lower model.width, views.size or model.projector",
            bytes(self.total()),
            bytes(available)
        ))
    }

    /// The estimate for a step of `config`, whose network has `parameters` and whose loss takes `form`.
    pub fn estimate(config: &Config, parameters: Parameters, form: LossForm) -> Self {
        let n = config.train.batch_size as u64;
        let micro_batch = config
            .train
            .micro_batch
            .filter(|&images| images < config.train.batch_size);
        let projector = config.projector();
        let widths = &projector.widths;
        let embedding = projector.embedding_width() as u64;
        let buffers = match config.optimizer.kind {
            OptimizerKind::Lars | OptimizerKind::Sgd => 1,
            OptimizerKind::AdamW => 2,
        };
        // Representations, then a linear layer's output, and its activation where there is one.
        let hidden: usize = widths[..widths.len() - 1].iter().sum();
        let backbone = config.model_config().map_or(0, |model| {
            model.backbone.features() + model.backbone.kept_values(config.views.size)
        });
        let image = backbone + 2 * hidden;
        Self {
            parameters: F32 * (2 + buffers) * (parameters.backbone + parameters.projector) as u64,
            // Both views at once, or a micro-batch of one of them.
            activations: F32 * micro_batch.map_or(2 * n, |images| images as u64) * image as u64,
            loss: F32 * loss_values(form, n, embedding),
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.parameters + self.activations + self.loss
    }
}

/// Values that the loss holds at its peak: the embeddings and their gradients, raw and standardised, and its matrices.
fn loss_values(form: LossForm, n: u64, d: u64) -> u64 {
    let vectors = 8 * n * d;
    match form {
        // C, its off-diagonal as a copy, that one's square, and the gradients of each.
        LossForm::Auto | LossForm::Reference => vectors + 6 * d * d,
        // C and its gradient.
        LossForm::Direct => vectors + 2 * d * d,
        // A Gram matrix a view, and their product.
        LossForm::Gram => vectors + 3 * n * n,
    }
}

/// Memory of this machine, where the system tells it.
pub fn physical() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kibibytes(&text, "MemTotal:")
}

/// The most memory that this process has had at once, where the system tells it.
pub fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&text, "VmHWM:")
}

/// The number behind `name` in one of the system's tables, in bytes.
fn kibibytes(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// `1536` as `1.5 KiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 10.0);
    format!("{value:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_for_people() {
        let texts = [0, 999, 1000, 1536, 10 << 20, 3 << 29].map(bytes);
        assert_eq!(texts, ["0 B", "999 B", "1.0 KiB", "1.5 KiB", "10 MiB", "1.5 GiB"]);
    }

    #[test]
    fn what_cannot_fit_is_one_line() {
        let memory = Memory {
            parameters: 1 << 30,
            activations: 6 << 30,
            loss: 1 << 30,
        };
        assert_eq!(memory.check(8 << 30), Ok(()));
        let line = memory.check((8 << 30) - 1).unwrap_err();
        assert!(line.starts_with("a step takes at least 8.0 GiB of memory"), "{line}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_memory() {
        assert!(physical().is_some_and(|bytes| bytes > 64 << 20));
        assert!(peak() > Some(1 << 20) && peak() < physical());
    }

    #[test]
    fn a_doubled_batch_doubles_the_activations_alone() {
        let mut config = Config::default();
        let estimate = |config: &Config| {
            let parameters = Parameters {
                backbone: 23_508_032,
                projector: 151_027_712,
            };
            Memory::estimate(config, parameters, LossForm::Reference)
        };
        let one = estimate(&config);
        config.train.batch_size *= 2;
        let two = estimate(&config);
        assert_eq!(2 * one.activations, two.activations);
        assert_eq!(one.parameters, two.parameters);
        // LARS keeps one buffer: weights, gradients, momentum.
        assert_eq!(one.parameters, 3 * 4 * 174_535_744);
        config.train.micro_batch = Some(16);
        assert_eq!(estimate(&config).activations * 2 * 4096, two.activations * 16);
        config.train.micro_batch = None;
        assert_eq!(one.total(), one.parameters + one.activations + one.loss);
        config.optimizer.kind = OptimizerKind::AdamW;
        assert_eq!(estimate(&config).parameters, 4 * 4 * 174_535_744);
    }
}
