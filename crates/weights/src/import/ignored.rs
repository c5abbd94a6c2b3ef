//! What of a file is not imported, and why.

use crate::error::quoted;
use crate::layout::{Layout, Origin, is_secondary};
use std::fmt;

/// Tensors of a file that are not imported for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// What they are, such as `momentum encoder`.
    pub what: &'static str,
    /// Their number.
    pub tensors: usize,
    /// The first of them.
    pub example: String,
}

impl fmt::Display for Ignored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what, tensors, example, ..
        } = self;
        let noun = if *tensors == 1 { "tensor" } else { "tensors" };
        write!(formatter, "{what}: {tensors} {noun} ({})", quoted(example))
    }
}

/// Names of layers that are no part of a backbone, with what they are. Parts of the name between dots.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["optimizer", "optimizers", "optimizer_states", "optim"],
        "state of the optimiser",
    ),
    (&["queue", "queue_ptr", "queue_2d"], "queue of negatives"),
    (
        &["fc", "classifier", "online_classifier", "linear_classifier", "linear"],
        "classifier",
    ),
    (&["head", "heads", "cls_head"], "classifier or other head"),
    (
        &["projector", "projection_head", "projection_mlp", "neck", "proj_head"],
        "projector of another structure",
    ),
    (&["predictor", "prediction_head", "prediction_mlp"], "predictor"),
    (&["prototypes", "prototypes0", "prototypes_layer"], "prototypes"),
    (&["loss", "criterion", "dino_loss"], "state of the loss"),
    (&["center"], "state of the loss"),
];

/// What a tensor is that belongs neither to the backbone nor to the projector.
pub(super) fn reason(name: &str, layout: &Layout) -> &'static str {
    let whole = layout.prefix.as_str();
    let rest = name.strip_prefix(whole).unwrap_or(name);
    if name.split('.').any(|part| part.starts_with("optim")) {
        return KNOWN[0].1;
    }
    if !is_secondary(whole) && is_secondary(name) {
        return "momentum encoder";
    }
    if layout.origin == Origin::Dino && name.starts_with("student.") {
        return "student network";
    }
    if layout.origin == Origin::BarlowTwins && name.contains("module.bn.") {
        return "statistics of the loss's standardisation";
    }
    let known = |part: &str| {
        KNOWN
            .iter()
            .find(|(parts, _)| parts.contains(&part))
            .map(|known| known.1)
    };
    let found = rest.split('.').find_map(known);
    found.unwrap_or("neither backbone nor projector")
}

/// Whether a name below a backbone's prefix is a known head's.
pub(super) fn is_head(rest: &str) -> bool {
    let part = rest.split('.').next().unwrap_or_default();
    KNOWN.iter().any(|(parts, _)| parts.contains(&part))
}

/// Collects tensors by reason, in the order of the first of each.
#[derive(Default)]
pub(super) struct Collector(Vec<Ignored>);

impl Collector {
    pub fn add(&mut self, what: &'static str, name: &str) {
        match self.0.iter_mut().find(|ignored| ignored.what == what) {
            Some(ignored) => ignored.tensors += 1,
            None => self.0.push(Ignored {
                what,
                tensors: 1,
                example: name.to_owned(),
            }),
        }
    }

    pub fn finish(self) -> Vec<Ignored> {
        self.0
    }
}
