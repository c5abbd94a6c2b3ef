//! Whether a step's tensors fit the device: many a GPU has a limit for one buffer far below its memory (WGPU's default is 128 MiB).
//!
//! Knows the config alone: neither a backbone of one's own, nor what a backend needs for itself in between.

use crate::config::Config;
use crate::memory::bytes;
use crate::pretrain::evaluation_chunk;
use barlow_loss::LossForm;

/// A tensor of a step, in f32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// What it is.
    what: &'static str,
    /// Its shape.
    shape: Vec<usize>,
    /// What makes it smaller.
    way_out: &'static str,
}

impl Buffer {
    fn bytes(&self) -> u64 {
        self.shape.iter().map(|&side| side as u64).product::<u64>() * 4
    }
}

/// The large tensors of a run of `config` whose loss takes `form`.
pub fn of_step(config: &Config, form: LossForm) -> Vec<Buffer> {
    let (n, train) = (config.train.batch_size, &config.train);
    let at_once = train.micro_batch.unwrap_or(n);
    let side = config.views.size;
    let widths = config.projector().widths;
    let d = config.projector().embedding_width();
    let smaller_batch = "pass a smaller --batch-size or set train.micro_batch";
    let narrower = "lower model.projector";
    let mut buffers = vec![
        Buffer {
            what: "the views of a step",
            shape: vec![at_once, config.model.in_channels, side, side],
            way_out: smaller_batch,
        },
        Buffer {
            what: "the embeddings",
            shape: vec![n, d],
            way_out: "lower model.projector or pass a smaller --batch-size",
        },
        match form {
            LossForm::Gram => Buffer {
                what: "the Gram matrix of the loss",
                shape: vec![n, n],
                way_out: "pass a smaller --batch-size",
            },
            LossForm::Direct | LossForm::Reference | LossForm::Auto => Buffer {
                what: "the correlation matrix of the loss",
                shape: vec![d, d],
                way_out: "set loss.form to \"gram\" or lower model.projector",
            },
        },
    ];
    let model = config.model_config().ok();
    if let Some(model) = &model {
        let (channels, side) = model.backbone.largest_map(side);
        buffers.push(Buffer {
            what: "the backbone's largest map",
            shape: vec![at_once, channels, side, side],
            way_out: smaller_batch,
        });
        let (channels, side) = model.backbone.largest_map(config.eval.crop);
        buffers.push(Buffer {
            what: "the backbone's largest map of an evaluation",
            shape: vec![evaluation_chunk(config), channels, side, side],
            way_out: "lower eval.crop, pass a smaller --batch-size or set train.micro_batch",
        });
    }
    buffers.extend(widths.iter().map(|&width| Buffer {
        what: "what a layer of the projector gives",
        shape: vec![at_once, width],
        way_out: "lower model.projector, pass a smaller --batch-size or set train.micro_batch",
    }));
    let inputs = model.iter().map(|model| model.backbone.features());
    let layers: Vec<usize> = inputs.chain(widths).collect();
    for pair in layers.windows(2) {
        buffers.push(Buffer {
            what: "a weight of the projector",
            shape: pair.to_vec(),
            way_out: narrower,
        });
    }
    buffers
}

/// Whether all of them fit.
///
/// # Errors
/// One line on the first that does not.
pub fn check(buffers: &[Buffer], limit: u64) -> Result<(), String> {
    let Some(buffer) = buffers.iter().find(|buffer| buffer.bytes() > limit) else {
        return Ok(());
    };
    let shape: Vec<String> = buffer.shape.iter().map(usize::to_string).collect();
    Err(format!(
        "{} ({}) takes {}, and a tensor of at most {} fits this device; {}",
        buffer.what,
        shape.join(" x "),
        bytes(buffer.bytes()),
        bytes(limit),
        buffer.way_out
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WGPU: u64 = 128 << 20;

    fn refused(change: impl Fn(&mut Config), form: LossForm) -> String {
        let mut config = Config::default();
        config.model.width = 16;
        config.train.batch_size = 64;
        config.views.size = 32;
        config.model.projector = "256-256".into();
        assert_eq!(check(&of_step(&config, form), WGPU), Ok(()));
        change(&mut config);
        check(&of_step(&config, form), WGPU).unwrap_err()
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_size_and_the_way_out() {
        let wide = |config: &mut Config| config.model.projector = "64-8192".into();
        let line = refused(wide, LossForm::Direct);
        assert!(
            line.contains("8192 x 8192) takes 256 MiB") && line.contains("\"gram\""),
            "{line}"
        );
        let line = refused(|config| config.model.projector = "8192-8192".into(), LossForm::Gram);
        assert!(
            line.starts_with("a weight of the projector") && line.contains("lower model.projector"),
            "{line}"
        );
        let line = refused(|config| config.train.batch_size = 8192, LossForm::Gram);
        assert!(line.contains("--batch-size"), "{line}");
        let line = refused(|config| config.views.size = 1024, LossForm::Gram);
        assert!(line.contains("train.micro_batch"), "{line}");
    }

    #[test]
    fn a_micro_batch_makes_maps_smaller() {
        let mut config = Config::default();
        config.model.width = 16;
        config.train.batch_size = 512;
        config.model.projector = "256".into();
        assert!(check(&of_step(&config, LossForm::Gram), WGPU).is_err());
        config.train.micro_batch = Some(32);
        assert_eq!(check(&of_step(&config, LossForm::Gram), WGPU), Ok(()));
    }
}
