//! Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230) with the variants of the paper's tables.

use crate::backend::TrainBackend;
use crate::method::{
    Chart, LargeTensor, LossOutput, Method, MethodAbout, MethodBatch, MethodDefinition, MethodInputs, MethodKeyError,
    MethodPlan, MethodSpec, Outlook, two,
};
use crate::ranks::Ranks;
use crate::toml_word::toml_word;
use barlow_loss::{BarlowTwinsLoss, BarlowTwinsLossConfig, LossForm, Normalization, Objective, loss_start};
use barlow_model::{Heads, HeadsConfig, NormMode, ProjectorConfig};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "barlow-twins";

pub(super) const ABOUT: MethodAbout = MethodAbout {
    summary: "makes the cross-correlation matrix of two views' embeddings the identity",
    source: "Zbontar et al. 2021, arXiv 2103.03230; facebookresearch/barlowtwins main.py",
    recipes: &[
        "sign-digits",
        "smoke",
        "cifar10-resnet18",
        "cifar10-resnet18-cpu",
        "imagenet-resnet50",
    ],
    keys: "[loss]",
    charts: &[Chart {
        title: "The two terms",
        readings: &["invariance", "redundancy_reduction"],
        log: true,
    }],
};

/// `[loss]`: the settings of Barlow Twins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossSection {
    /// Weight λ of the redundancy-reduction term (≥ 0); official 0.0051.
    pub lambda: f64,
    /// Factor on the whole loss (> 0).
    pub scale: f64,
    /// How the loss is computed.
    pub form: LossForm,
    /// How the embeddings are normalised before the product.
    pub normalization: Normalization,
    /// The objective that is computed from C.
    pub objective: Objective,
    /// τ of the objective "cross-entropy" (> 0); no other reads it.
    pub temperature: f64,
    /// A predictor after the projector on view a: Linear D, batch norm, ReLU, Linear D (the paper's table of asymmetric variants).
    pub predictor: bool,
    /// No gradient into view b (the same table).
    pub stop_gradient: bool,
}

impl Default for LossSection {
    fn default() -> Self {
        Self {
            lambda: 0.0051,
            scale: 1.0,
            form: LossForm::Auto,
            normalization: Normalization::Batch,
            objective: Objective::BarlowTwins,
            temperature: 0.1,
            predictor: false,
            stop_gradient: false,
        }
    }
}

impl LossSection {
    /// The loss of these settings.
    pub fn loss_config(&self) -> BarlowTwinsLossConfig {
        BarlowTwinsLossConfig::new()
            .with_lambda(self.lambda)
            .with_scale(self.scale)
            .with_form(self.form)
            .with_normalization(self.normalization)
            .with_objective(self.objective)
            .with_temperature(self.temperature)
    }
}

impl MethodDefinition for LossSection {
    fn validate(&self) -> Result<(), MethodKeyError> {
        // The loss's error names the key and the value itself.
        self.loss_config().validate().map_err(|error| MethodKeyError {
            key: "loss".to_owned(),
            value: "not usable".to_owned(),
            allowed: error.to_string(),
        })
    }

    fn spec(&self, inputs: &MethodInputs) -> MethodSpec {
        let width = inputs.projector.output_width();
        let predictor = ProjectorConfig {
            widths: vec![width, width],
        };
        let heads = HeadsConfig {
            predictor: self.predictor.then(|| predictor.mlp(true)),
            ..HeadsConfig::new(inputs.projector.clone())
        };
        MethodSpec::plain(NAME, inputs.views.clone(), heads)
    }

    fn outlook(&self, inputs: &MethodInputs) -> Outlook {
        let (n, d) = (inputs.batch_size, inputs.projector.output_width());
        let loss = self.loss_config().init();
        let (form, reason) = loss.form(n, d, inputs.largest_buffer);
        let plain = self.objective == Objective::BarlowTwins && self.normalization == Normalization::Batch;
        let variant = if plain {
            String::new()
        } else {
            format!(
                "; objective {}, normalization {}",
                toml_word(&self.objective),
                toml_word(&self.normalization)
            )
        };
        let asymmetry = match (self.predictor, self.stop_gradient) {
            (false, false) => "",
            (true, false) => "; predictor on view a",
            (false, true) => "; no gradient into view b",
            (true, true) => "; predictor on view a, no gradient into view b",
        };
        Outlook {
            settings: format!(
                "lambda {}, {} form ({reason}){variant}{asymmetry}",
                self.lambda,
                toml_word(&form)
            ),
            floor: loss.floor(n, d),
            start: plain.then(|| loss_start(n, d, self.lambda) * self.scale),
            peak_values: peak_values(form, n as u64, d as u64),
            tensors: vec![matrix(form, n, d)],
        }
    }
}

/// The embeddings and their gradients, raw and standardised, and the matrices of the form.
fn peak_values(form: LossForm, n: u64, d: u64) -> u64 {
    let vectors = 8 * n * d;
    match form {
        // C, a copy of its off-diagonal, the square of that, and the gradients of each.
        LossForm::Auto | LossForm::Reference => vectors + 6 * d * d,
        // C and its gradient.
        LossForm::Direct => vectors + 2 * d * d,
        // One Gram matrix per view, and their product.
        LossForm::Gram => vectors + 3 * n * n,
    }
}

fn matrix(form: LossForm, n: usize, d: usize) -> LargeTensor {
    match form {
        LossForm::Gram => LargeTensor {
            what: "the Gram matrix of the loss",
            shape: vec![n, n],
            way_out: "pass a smaller --batch-size",
        },
        LossForm::Direct | LossForm::Reference | LossForm::Auto => LargeTensor {
            what: "the correlation matrix of the loss",
            shape: vec![d, d],
            way_out: "set loss.form to \"gram\" or lower model.projector",
        },
    }
}

/// Barlow Twins on two views.
struct BarlowTwins {
    loss: BarlowTwinsLoss,
    stop_gradient: bool,
    plan: MethodPlan,
}

/// The method of these settings.
pub(super) fn build<B: TrainBackend>(section: &LossSection, inputs: &MethodInputs) -> Box<dyn Method<B>> {
    Box::new(BarlowTwins {
        loss: section.loss_config().init(),
        stop_gradient: section.stop_gradient,
        plan: section.plan(inputs),
    })
}

impl<B: TrainBackend> Method<B> for BarlowTwins {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let [z_a, z_b] = two(batch.embeddings);
        let z_a = match &heads.predictor {
            Some(predictor) => predictor.forward(z_a, NormMode::Train),
            None => z_a,
        };
        let z_b = if self.stop_gradient { z_b.detach() } else { z_b };
        self.loss.forward(z_a, z_b).into()
    }

    fn loss_of_share(&mut self, embeddings: &[Tensor<B, 2>], ranks: &Ranks) -> Option<LossOutput<B>> {
        if self.plan.spec.heads.predictor.is_some() {
            return None;
        }
        let [z_a, z_b] = two(embeddings.to_vec());
        let z_b = if self.stop_gradient { z_b.detach() } else { z_b };
        Some(self.loss.forward_with_peers(z_a, z_b, ranks).into())
    }
}
