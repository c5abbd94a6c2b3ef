//! Weights to start from: another run's, a checkpoint file's, or a backbone's with torchvision's names.

use crate::checkpoint::{Checkpoint, Damaged};
use crate::run_dir::RunDir;
use anyhow::{Context, Result};
use barlow_model::{
    Backbone, BarlowTwinsModel, StateDict, StateError, check_state_dict, load_state_dict, read_safetensors,
    strip_prefix,
};
use burn::tensor::backend::Backend;
use std::path::Path;

/// The layer that torchvision's networks have behind the features, which is no part of a backbone.
const CLASSIFIER: &str = "fc.";

/// Weights of a network, on the host.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Where they come from, for the person.
    pub origin: String,
    /// Of the backbone.
    backbone: StateDict,
    /// Of the projector; empty where there was none.
    projector: StateDict,
}

/// A run as it is named on the command line: its folder, or `FOLDER@last`.
pub fn split_last(from: &str) -> (&str, bool) {
    from.strip_suffix("@last").map_or((from, false), |root| (root, true))
}

impl Weights {
    /// Reads those of a run (its best checkpoint; `RUN@last` the last one) or of a safetensors file. Checkpoints that could not be
    /// used are given too.
    ///
    /// # Errors
    /// One line with the path.
    pub fn read(from: &str) -> Result<(Self, Vec<Damaged>)> {
        if Path::new(from).is_file() {
            return Ok((Self::of_file(Path::new(from))?, Vec::new()));
        }
        let (root, last) = split_last(from);
        let run = RunDir::open(Path::new(root))?;
        let kept = Checkpoint::chosen(&run, last)?;
        let checkpoint = kept
            .checkpoint
            .with_context(|| format!("{root} has no checkpoint yet; run it with --resume"))?;
        let origin = format!("{root}, step {}", checkpoint.progress.step);
        Ok((Self::of_model(origin, &checkpoint.model), kept.damaged))
    }

    fn of_file(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let read = || -> Result<_> { Ok(read_safetensors(&std::fs::read(path)?)?) };
        let file = read().with_context(|| format!("cannot read the weights {origin}"))?;
        if file.metadata.contains_key("run") {
            let checkpoint = Checkpoint::of_safetensors(file);
            let checkpoint = checkpoint.with_context(|| format!("cannot use the checkpoint {origin}"))?;
            return Ok(Self::of_model(origin, &checkpoint.model));
        }
        let mut backbone = file.tensors;
        backbone.retain(|name, _| !name.starts_with(CLASSIFIER));
        Ok(Self {
            origin,
            backbone,
            projector: StateDict::new(),
        })
    }

    fn of_model(origin: String, model: &StateDict) -> Self {
        Self {
            origin,
            backbone: strip_prefix(model, "backbone."),
            projector: strip_prefix(model, "projector."),
        }
    }

    /// Whether the projector's weights are there too; one of other widths keeps what it has.
    ///
    /// # Errors
    /// If the backbone has other layers.
    pub fn fit<B: Backend, M: Backbone<B>>(&self, model: &BarlowTwinsModel<B, M>) -> Result<bool> {
        check_state_dict(&model.backbone, &self.backbone).with_context(|| self.do_not_fit())?;
        match check_state_dict(&model.projector, &self.projector) {
            Ok(()) => Ok(true),
            Err(StateError::Missing { .. } | StateError::Unexpected { .. } | StateError::Shape { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The model with these weights.
    ///
    /// # Errors
    /// As [`Weights::fit`].
    pub fn load<B: Backend, M: Backbone<B>>(&self, model: BarlowTwinsModel<B, M>) -> Result<BarlowTwinsModel<B, M>> {
        let has_projector = self.fit(&model)?;
        let BarlowTwinsModel { backbone, projector } = model;
        let backbone = load_state_dict(backbone, &self.backbone).with_context(|| self.do_not_fit())?;
        let projector = if has_projector {
            load_state_dict(projector, &self.projector)?
        } else {
            projector
        };
        Ok(BarlowTwinsModel { backbone, projector })
    }

    fn do_not_fit(&self) -> String {
        format!(
            "the weights of {} do not fit the backbone; see the model keys",
            self.origin
        )
    }
}
