//! The check that a step's tensors fit the device: many GPUs limit one buffer to far less than their memory (WGPU's default is
//! 128 MiB).
//!
//! Based on the config alone: it covers neither a custom backbone nor a backend's own temporary tensors.

use crate::config::Config;
use crate::evaluation::evaluation_chunk;
use crate::method::{LargeTensor, MethodSpec, Outlook};
use crate::units::bytes;

/// The large tensors of a run of `config` by a method.
pub fn large_tensors(config: &Config, spec: &MethodSpec, outlook: &Outlook) -> Vec<LargeTensor> {
    let (n, train) = (config.train.batch_size, &config.train);
    let at_once = train.micro_batch.unwrap_or(n);
    let d = spec.heads.embedding_width();
    let smaller_batch = "pass a smaller --batch-size or set train.micro_batch";
    let narrower = "lower model.projector";
    // The largest pass decides: how many images of which side.
    let sizes = spec.sizes_of_views();
    let passes = spec.passes_of_views();
    let pass = passes
        .iter()
        .max_by_key(|pass| pass.len() * sizes[pass[0]] * sizes[pass[0]])
        .expect("a method has views");
    let (at_once, side) = (at_once * pass.len(), sizes[pass[0]]);
    let mut tensors = vec![
        LargeTensor {
            what: "the views of a step",
            shape: vec![at_once, config.model.in_channels, side, side],
            way_out: smaller_batch,
        },
        LargeTensor {
            what: "the embeddings",
            shape: vec![n, d],
            way_out: "lower model.projector or pass a smaller --batch-size",
        },
    ];
    tensors.extend(outlook.tensors.iter().cloned());
    let backbone = config.backbone().ok();
    if let Some(backbone) = &backbone {
        let of = |images: usize, side: usize| [vec![images], backbone.largest_map(side)].concat();
        tensors.push(LargeTensor {
            what: "the backbone's largest map",
            shape: of(at_once, side),
            way_out: smaller_batch,
        });
        tensors.push(LargeTensor {
            what: "the backbone's largest map of an evaluation",
            shape: of(evaluation_chunk(config), config.eval.crop),
            way_out: "lower eval.crop, pass a smaller --batch-size or set train.micro_batch",
        });
    }
    let widths = || spec.heads.projector.layers.iter().map(|layer| layer.width);
    tensors.extend(widths().map(|width| LargeTensor {
        what: "the output of a projector layer",
        shape: vec![at_once, width],
        way_out: "lower model.projector, pass a smaller --batch-size or set train.micro_batch",
    }));
    let inputs = backbone.iter().map(|backbone| backbone.feature_dim());
    let layers: Vec<usize> = inputs.chain(widths()).collect();
    for pair in layers.windows(2) {
        tensors.push(LargeTensor {
            what: "a weight of the projector",
            shape: pair.to_vec(),
            way_out: narrower,
        });
    }
    let predictor = spec.heads.predictor.iter().flat_map(|head| &head.layers);
    let layers: Vec<usize> = std::iter::once(d).chain(predictor.map(|layer| layer.width)).collect();
    for pair in layers.windows(2) {
        tensors.push(LargeTensor {
            what: "a weight of the predictor",
            shape: pair.to_vec(),
            way_out: "lower the width of the method's predictor or model.projector",
        });
    }
    tensors.extend(spec.heads.prototypes.iter().map(|prototypes| LargeTensor {
        what: "the weight of the prototypes",
        shape: vec![d, prototypes.count],
        way_out: "lower the method's prototypes or model.projector",
    }));
    tensors
}

/// Whether all of them fit.
///
/// # Errors
/// A one-line error for the first that does not.
pub fn check(tensors: &[LargeTensor], limit: u64) -> Result<(), String> {
    let Some(tensor) = tensors.iter().find(|tensor| tensor.bytes() > limit) else {
        return Ok(());
    };
    let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
    Err(format!(
        "{} ({}) takes {}, and a tensor of at most {} fits this device; {}",
        tensor.what,
        shape.join(" x "),
        bytes(tensor.bytes()),
        bytes(limit),
        tensor.way_out
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::MethodKind;
    use barlow_loss::LossForm;

    const WGPU: u64 = 128 << 20;

    fn tensors(config: &Config) -> Vec<LargeTensor> {
        let inputs = config.method_inputs(None);
        let definition = config.method_definition();
        large_tensors(config, &definition.spec(&inputs), &definition.outlook(&inputs))
    }

    fn refused(form: LossForm, change: impl Fn(&mut Config)) -> String {
        let mut config = Config::default();
        config.model.width = 16;
        config.loss.form = form;
        config.train.batch_size = 64;
        config.views.size = 32;
        config.model.projector = "256-256".into();
        assert_eq!(check(&tensors(&config), WGPU), Ok(()));
        change(&mut config);
        check(&tensors(&config), WGPU).unwrap_err()
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_size_and_the_way_out() {
        let line = refused(LossForm::Direct, |config| config.model.projector = "64-8192".into());
        assert!(
            line.contains("8192 x 8192) takes 256 MiB") && line.contains("\"gram\""),
            "{line}"
        );
        let line = refused(LossForm::Gram, |config| config.model.projector = "8192-8192".into());
        assert!(
            line.starts_with("a weight of the projector") && line.contains("lower model.projector"),
            "{line}"
        );
        let line = refused(LossForm::Gram, |config| config.train.batch_size = 8192);
        assert!(line.contains("--batch-size"), "{line}");
        let line = refused(LossForm::Gram, |config| config.views.size = 1024);
        assert!(line.contains("train.micro_batch"), "{line}");
    }

    #[test]
    fn predictor_and_prototypes_are_counted() {
        let mut config = Config::default();
        config.model.projector = "64-256".into();
        config.method.kind = MethodKind::Byol;
        config.method.byol.predictor = 1 << 18;
        let of = |config: &Config, what: &str| {
            let tensors = tensors(config);
            let found = tensors.into_iter().filter(|tensor| tensor.what == what);
            found.map(|tensor| check(&[tensor], WGPU).is_err()).collect::<Vec<_>>()
        };
        assert_eq!(of(&config, "a weight of the predictor"), [true, true]);
        config.method.kind = MethodKind::Swav;
        config.method.swav.prototypes = 1 << 18;
        assert_eq!(of(&config, "the weight of the prototypes"), [true]);
    }

    #[test]
    fn a_micro_batch_makes_maps_smaller() {
        let mut config = Config::default();
        config.model.width = 16;
        config.loss.form = LossForm::Gram;
        config.train.batch_size = 512;
        config.model.projector = "256".into();
        assert!(check(&tensors(&config), WGPU).is_err());
        config.train.micro_batch = Some(32);
        assert_eq!(check(&tensors(&config), WGPU), Ok(()));
    }
}
