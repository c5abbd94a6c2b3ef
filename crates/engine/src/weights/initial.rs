//! Initial weights from elsewhere: another run's, a checkpoint file's, or those of any file of weights that is recognised.

use super::{GivenNetwork, ImportedFile};
use crate::checkpoint::{Checkpoint, Damaged, NoCheckpoint};
use crate::run_dir::RunDir;
use anyhow::{Context, Result};
use barlow_model::{
    Backbone, HostTensor, Model, NamedShape, StateDict, check_shapes, load_state_dict, named_shapes, normal_values,
    read_safetensors, state_dict, strip_prefix,
};
use burn::tensor::backend::Backend;
use std::path::Path;

/// The layer that torchvision's ResNets and timm's ViTs have after the features, which is not part of a backbone.
const CLASSIFIERS: [&str; 2] = ["fc.", "head."];
/// The parts of the heads, each loaded as a whole or not at all.
const PARTS: [&str; 3] = ["projector", "predictor", "prototypes"];

/// Weights of a network, on the host.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Where they come from, for messages.
    pub origin: String,
    backbone: StateDict,
    /// Weights of the heads, by part; empty if there were none.
    heads: StateDict,
}

/// Which parts of the heads take their values from weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadsFit {
    /// Parts that are loaded.
    pub loaded: Vec<&'static str>,
    /// Parts that are newly initialised.
    pub new: Vec<&'static str>,
    /// The reason, for each part that the weights have and that does not fit.
    pub warnings: Vec<String>,
}

/// A run as it is named on the command line: its folder, or `FOLDER@last`.
pub fn split_last(from: &str) -> (&str, bool) {
    from.strip_suffix("@last").map_or((from, false), |root| (root, true))
}

impl Weights {
    /// Reads those of a run (its best checkpoint; `RUN@last` the last one) or of a safetensors file. Also returns the checkpoints
    /// that could not be used.
    ///
    /// # Errors
    /// A one-line error with the path.
    pub fn read(from: &str) -> Result<(Self, Vec<Damaged>)> {
        if Path::new(from).is_file() {
            return Ok((Self::of_file(Path::new(from))?, Vec::new()));
        }
        let (root, last) = split_last(from);
        let run = RunDir::open(Path::new(root))?;
        let kept = Checkpoint::chosen(&run, last)?;
        let checkpoint = kept.checkpoint.ok_or_else(|| NoCheckpoint(root.into()))?;
        let origin = format!("{root}, step {}", checkpoint.progress.step);
        Ok((Self::of_model(origin, checkpoint.model), kept.damaged))
    }

    /// The backbone of a network, without its heads.
    pub fn backbone_of(network: &GivenNetwork) -> Self {
        Self {
            origin: network.origin.clone(),
            backbone: strip_prefix(&network.weights, "backbone."),
            heads: StateDict::new(),
        }
    }

    /// With a linear classifier as projector, as the official code draws one: weights `[classes, features]` normal with standard
    /// deviation 0.01, keyed by `seed`, and biases of zero.
    #[must_use]
    pub fn with_classifier(mut self, classes: usize, features: usize, seed: u64) -> Self {
        let weight = HostTensor {
            shape: vec![classes, features],
            data: normal_values(seed, "projector.0.weight", classes * features, 0.01),
        };
        let bias = HostTensor {
            shape: vec![classes],
            data: vec![0.0; classes],
        };
        self.heads = [
            ("projector.0.weight".to_owned(), weight),
            ("projector.0.bias".to_owned(), bias),
        ]
        .into();
        self
    }

    fn of_file(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let imported = ImportedFile::open(path);
        if let Ok(imported) = &imported
            && !imported.is_checkpoint()
        {
            return Ok(Self::of_model(origin, imported.weights()?));
        }
        // A checkpoint of this program, which has a checksum, or a custom backbone, whose names nobody else has.
        let read = || -> Result<_> { Ok(read_safetensors(&std::fs::read(path)?)?) };
        let file = match (read(), imported) {
            (Ok(file), _) => file,
            (Err(_), Err(error)) => return Err(error.context(format!("cannot read the weights {origin}"))),
            (Err(error), Ok(_)) => return Err(error.context(format!("cannot read the weights {origin}"))),
        };
        if file.metadata.contains_key("run") {
            let checkpoint = Checkpoint::of_safetensors(file);
            let checkpoint = checkpoint.with_context(|| format!("cannot use the checkpoint {origin}"))?;
            return Ok(Self::of_model(origin, checkpoint.model));
        }
        let mut backbone = file.tensors;
        backbone.retain(|name, _| !CLASSIFIERS.iter().any(|layer| name.starts_with(layer)));
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

    /// Checks that the backbone fits, and finds the parts of the heads that do; parts of other widths keep their own values.
    ///
    /// # Errors
    /// If the backbone has other layers.
    pub fn fit<B: Backend, M: Backbone<B>>(&self, model: &Model<B, M>) -> Result<HeadsFit> {
        self.fit_shapes(named_shapes(model))
    }

    fn fit_shapes(&self, shapes: Vec<NamedShape>) -> Result<HeadsFit> {
        let below = |prefix: &str| -> Vec<NamedShape> {
            let named = shapes.iter().filter_map(|named| {
                Some(NamedShape {
                    name: named.name.strip_prefix(prefix)?.to_owned(),
                    ..named.clone()
                })
            });
            named.collect()
        };
        check_shapes(&below("backbone."), &self.backbone).with_context(|| self.do_not_fit())?;
        let mut fit = HeadsFit::default();
        for name in PARTS {
            let (expected, state) = (below(&format!("{name}.")), self.part(name));
            match check_shapes(&expected, &state) {
                _ if expected.is_empty() => {}
                Ok(()) => fit.loaded.push(name),
                Err(_) if state.is_empty() => fit.new.push(name),
                Err(error) => {
                    fit.new.push(name);
                    let origin = &self.origin;
                    fit.warnings.push(format!(
                        "the {name} of {origin} does not fit and is newly initialised: {error}"
                    ));
                }
            }
        }
        Ok(fit)
    }

    fn part(&self, name: &str) -> StateDict {
        strip_prefix(&self.heads, &format!("{name}."))
    }

    /// The model with these weights: the backbone's, and those of the heads that [`Weights::fit`] found to fit.
    ///
    /// # Errors
    /// If they do not fit the model.
    pub fn load<B: Backend, M: Backbone<B>>(&self, model: Model<B, M>, fit: &HeadsFit) -> Result<Model<B, M>> {
        let mut state = state_dict(&model)?;
        let backbone = self
            .backbone
            .iter()
            .map(|(name, tensor)| (format!("backbone.{name}"), tensor.clone()));
        state.extend(backbone);
        let is_loaded = |name: &String| fit.loaded.iter().any(|part| name.starts_with(&format!("{part}.")));
        let heads = self.heads.iter().filter(|(name, _)| is_loaded(name));
        state.extend(heads.map(|(name, tensor)| (name.clone(), tensor.clone())));
        Ok(load_state_dict(model, &state)?)
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
    use barlow_model::{HeadsConfig, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth};
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
    fn a_classifier_is_drawn_as_in_the_official_code() {
        let mut heads = HeadsConfig::new(ProjectorConfig { widths: vec![50] }.mlp(true));
        heads.projector.layers[0].bias = true;
        let backbone = ResNetConfig::new(ResNetDepth::ResNet18).with_width(2);
        let features = backbone.feature_dim();
        let model: Model<Flex> = ModelConfig::new(backbone, heads).init(&FlexDevice, 2);
        let weights = Weights::of_model("x".into(), state_dict(&model).unwrap()).with_classifier(50, features, 7);
        let fit = weights.fit(&model).unwrap();
        assert_eq!(fit.loaded, ["projector"], "{fit:?}");
        let state = state_dict(&weights.load(model, &fit).unwrap()).unwrap();
        assert!(state["projector.0.bias"].data.iter().all(|&bias| bias == 0.0));
        let values = &state["projector.0.weight"].data;
        let deviation = (values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        assert!((deviation - 0.01).abs() < 0.001, "{deviation}");
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
        let (weights, other) = (Weights::of_model("x".into(), full.clone()), model(&[8, 4], 2));
        let fit = weights.fit(&other).unwrap();
        let loaded = weights.load(other, &fit).unwrap();
        assert!(state_dict(&loaded).unwrap() == full);
    }
}
