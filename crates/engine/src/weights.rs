//! Weights to start from: another run's, a checkpoint file's, or a backbone's with torchvision's names.

use crate::checkpoint::{Checkpoint, Damaged};
use crate::run_dir::RunDir;
use anyhow::{Context, Result};
use barlow_model::{
    Backbone, Heads, Mlp, Model, Prototypes, StateDict, check_state_dict, load_state_dict, read_safetensors,
    strip_prefix,
};
use burn::module::Module;
use burn::tensor::backend::Backend;
use std::path::Path;

/// The layer that torchvision's networks have behind the features, which is no part of a backbone.
const CLASSIFIER: &str = "fc.";

/// Weights of a network, on the host.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Where they come from, for messages.
    pub origin: String,
    backbone: StateDict,
    /// What lies behind the backbone, by part; empty where there was none.
    heads: StateDict,
}

/// Which parts of the heads take their values from weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadsFit {
    /// Parts that are loaded.
    pub loaded: Vec<&'static str>,
    /// Parts that start anew.
    pub new: Vec<&'static str>,
    /// Why, for each part that the weights have and that does not fit.
    pub warnings: Vec<String>,
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
        Ok((Self::of_model(origin, checkpoint.model), kept.damaged))
    }

    fn of_file(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let read = || -> Result<_> { Ok(read_safetensors(&std::fs::read(path)?)?) };
        let file = read().with_context(|| format!("cannot read the weights {origin}"))?;
        if file.metadata.contains_key("run") {
            let checkpoint = Checkpoint::of_safetensors(file);
            let checkpoint = checkpoint.with_context(|| format!("cannot use the checkpoint {origin}"))?;
            return Ok(Self::of_model(origin, checkpoint.model));
        }
        let mut backbone = file.tensors;
        backbone.retain(|name, _| !name.starts_with(CLASSIFIER));
        Ok(Self {
            origin,
            backbone,
            heads: StateDict::new(),
        })
    }

    fn of_model(origin: String, model: StateDict) -> Self {
        let backbone = strip_prefix(&model, "backbone.");
        let mut heads = model;
        heads.retain(|name, _| !name.starts_with("backbone."));
        Self {
            origin,
            backbone,
            heads,
        }
    }

    /// Whether the backbone fits, and which parts of the heads do; parts of other widths keep what they have.
    ///
    /// # Errors
    /// If the backbone has other layers.
    pub fn fit<B: Backend, M: Backbone<B>>(&self, model: &Model<B, M>) -> Result<HeadsFit> {
        check_state_dict(&model.backbone, &self.backbone).with_context(|| self.do_not_fit())?;
        let mut fit = HeadsFit::default();
        let Heads {
            projector,
            predictor,
            prototypes,
        } = &model.heads;
        self.fit_part::<B, Mlp<B>>("projector", projector, &mut fit);
        if let Some(predictor) = predictor {
            self.fit_part::<B, Mlp<B>>("predictor", predictor, &mut fit);
        }
        if !prototypes.is_empty() {
            self.fit_part::<B, Vec<Prototypes<B>>>("prototypes", prototypes, &mut fit);
        }
        Ok(fit)
    }

    fn fit_part<B: Backend, P: Module<B>>(&self, name: &'static str, part: &P, fit: &mut HeadsFit) {
        let state = self.part(name);
        match check_state_dict(part, &state) {
            Ok(()) => fit.loaded.push(name),
            Err(_) if state.is_empty() => fit.new.push(name),
            Err(error) => {
                fit.new.push(name);
                let origin = &self.origin;
                fit.warnings
                    .push(format!("the {name} of {origin} does not fit and starts anew: {error}"));
            }
        }
    }

    fn part(&self, name: &str) -> StateDict {
        strip_prefix(&self.heads, &format!("{name}."))
    }

    /// The model with these weights.
    ///
    /// # Errors
    /// As [`Weights::fit`].
    pub fn load<B: Backend, M: Backbone<B>>(&self, model: Model<B, M>) -> Result<Model<B, M>> {
        let fit = self.fit(&model)?;
        let is_loaded = |name| fit.loaded.contains(&name);
        let Model { backbone, mut heads } = model;
        let backbone = load_state_dict(backbone, &self.backbone).with_context(|| self.do_not_fit())?;
        if is_loaded("projector") {
            heads.projector = load_state_dict(heads.projector, &self.part("projector"))?;
        }
        if is_loaded("predictor") {
            let state = self.part("predictor");
            heads.predictor = heads.predictor.map(|part| load_state_dict(part, &state)).transpose()?;
        }
        if is_loaded("prototypes") {
            heads.prototypes = load_state_dict(heads.prototypes, &self.part("prototypes"))?;
        }
        Ok(Model { backbone, heads })
    }

    fn do_not_fit(&self) -> String {
        format!(
            "the weights of {} do not fit the backbone; see the model keys",
            self.origin
        )
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use barlow_model::{HeadsConfig, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth, state_dict};
    use burn_flex::{Flex, FlexDevice};

    fn model(projector: &[usize], seed: u64) -> Model<Flex> {
        let heads = HeadsConfig {
            projector: ProjectorConfig {
                widths: projector.to_vec(),
            }
            .mlp(true),
            predictor: None,
            prototypes: Vec::new(),
        };
        let backbone = ResNetConfig::new(ResNetDepth::ResNet18).with_width(2);
        ModelConfig::new(backbone, heads).init(&FlexDevice, seed)
    }

    #[test]
    fn a_projector_that_lacks_a_tensor_is_a_warning_and_not_a_new_projector() {
        let full = state_dict(&model(&[8, 4], 1)).unwrap();
        let fit = |state: StateDict, projector: &[usize]| {
            Weights::of_model("runs/x".into(), state)
                .fit(&model(projector, 2))
                .unwrap()
        };
        assert_eq!(fit(full.clone(), &[8, 4]).loaded, ["projector"]);
        let mut lacking = full.clone();
        lacking.remove("projector.1.bias").unwrap();
        let found = fit(lacking, &[8, 4]);
        assert_eq!((found.new.as_slice(), found.warnings.len()), (&["projector"][..], 1));
        assert!(
            found.warnings[0].contains("projector of runs/x") && found.warnings[0].contains("1.bias"),
            "{found:?}"
        );
        assert_eq!(fit(full.clone(), &[8, 6]).warnings.len(), 1, "another width");
        let mut bare = full.clone();
        bare.retain(|name, _| name.starts_with("backbone."));
        assert_eq!(
            fit(bare, &[8, 4]),
            HeadsFit {
                new: vec!["projector"],
                ..HeadsFit::default()
            }
        );
        let loaded = Weights::of_model("x".into(), full.clone())
            .load(model(&[8, 4], 2))
            .unwrap();
        assert!(state_dict(&loaded).unwrap() == full);
    }
}
