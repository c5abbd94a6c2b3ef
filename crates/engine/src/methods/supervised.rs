//! Supervised training by the cross-entropy of one view: fine-tuning on labelled images, and training from scratch beside it.
//!
//! The projector is the classifier: one linear layer whose width is the number of classes. Source: facebookresearch/barlowtwins,
//! `evaluate.py --weights finetune`.

use crate::backend::TrainBackend;
use crate::method::{
    Chart, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError, MethodPlan,
    MethodSpec, Outlook,
};
use crate::optim::{ParamRule, Select};
use barlow_augment::ViewGroup;
use barlow_loss::{cross_entropy, top1};
use barlow_model::{Heads, HeadsConfig};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "supervised";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "classifies the labelled images: fine-tuning, and training from scratch to compare with",
    source: "facebookresearch/barlowtwins, evaluate.py --weights finetune",
    recipes: &[],
    keys: "[method.supervised]",
    charts: &[Chart {
        title: "Training accuracy",
        readings: &["top1"],
        log: false,
    }],
};

/// `[method.supervised]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Rate of the backbone as a fraction of the classifier's (≥ 0); 0 trains the classifier alone.
    pub backbone_rate: f64,
}

impl Default for Config {
    /// Of the official schedule for a hundredth of the labels: 0.005 and 0.5.
    fn default() -> Self {
        Self { backbone_rate: 0.01 }
    }
}

impl MethodDefinition for Config {
    fn validate(&self) -> Result<(), MethodKeyError> {
        MethodKeyError::check_non_negative(NAME, "backbone_rate", self.backbone_rate)
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let mut classifier = inputs.projector.clone();
        if let Some(last) = classifier.layers.last_mut() {
            last.bias = true;
        }
        // Weight decay on everything, and one rate for all of the backbone: torch's SGD over two groups.
        let all = ParamRule {
            decay: Some(true),
            one_rate: true,
            ..ParamRule::new(Select::All)
        };
        let backbone = ParamRule {
            factor: Some(self.backbone_rate),
            ..ParamRule::new(Select::Prefix("backbone.".to_owned()))
        };
        MethodSpec {
            rules: vec![all, backbone],
            uses_labels: true,
            ..MethodSpec::plain(NAME, view(&inputs.views), HeadsConfig::new(classifier))
        }
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, classes) = (inputs.batch_size, inputs.projector.output_width());
        Outlook {
            settings: format!(
                "cross-entropy of {classes} classes, the backbone's rate {} of the classifier's",
                self.backbone_rate
            ),
            floor: Some(0.0),
            start: Some((classes as f64).ln()),
            peak_values: (4 * n * classes) as u64,
            tensors: Vec::new(),
        }
    }
}

/// One view: crop and flip of the recipe's first one, without changes of colour.
fn view(views: &[ViewGroup]) -> Vec<ViewGroup> {
    let mut group = views[0].clone();
    group.view.jitter.p = 0.0;
    group.view.blur.p = 0.0;
    group.view.greyscale = 0.0;
    group.view.solarize = 0.0;
    vec![group]
}

/// Classification of one view.
struct Supervised {
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(config: &Config, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(Supervised {
        plan: config.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for Supervised {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, _heads: &Heads<B>, mut batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let logits = batch.embeddings.pop().expect("the spec has one view");
        let labels: Vec<usize> = batch
            .labels
            .iter()
            .map(|label| label.expect("the run has labels"))
            .collect();
        let top1 = top1(logits.clone().inner(), &labels);
        LossOutput {
            loss: cross_entropy(logits, &labels),
            readings: vec![("top1", Tensor::from_inner(top1))],
        }
    }
}
