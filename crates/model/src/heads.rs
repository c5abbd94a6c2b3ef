//! The heads of a model: the projector, and the predictor and prototypes that some methods add after it.

use crate::mlp::{Mlp, MlpConfig};
use crate::prototypes::{Prototypes, PrototypesConfig};
use burn::module::Module;
use burn::tensor::backend::Backend;
use serde::Serialize;

/// Settings of [`Heads`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeadsConfig {
    /// Projector, from representations to embeddings.
    pub projector: MlpConfig,
    /// Predictor, from embeddings to predictions (BYOL, SimSiam, MoCo v3).
    pub predictor: Option<MlpConfig>,
    /// Prototype layers, each applied to the embeddings (SwAV has one, SeLa several).
    pub prototypes: Vec<PrototypesConfig>,
}

impl HeadsConfig {
    /// A projector alone: Barlow Twins, SimCLR, VICReg.
    pub fn new(projector: MlpConfig) -> Self {
        Self {
            projector,
            predictor: None,
            prototypes: Vec::new(),
        }
    }

    /// Width D of the embeddings.
    ///
    /// # Panics
    /// If the projector has no layer.
    pub fn embedding_width(&self) -> usize {
        self.projector.output_width()
    }

    /// The widths of the heads' layers, such as "projector 512-256, predictor 128-256".
    pub fn describe(&self) -> String {
        let mut parts = vec![format!("projector {}", self.projector.widths())];
        parts.extend(self.predictor.iter().map(|head| format!("predictor {}", head.widths())));
        parts.extend(
            self.prototypes
                .iter()
                .map(|layer| format!("{} prototypes", layer.count)),
        );
        parts.join(", ")
    }

    /// Builds the heads for representations of width `feature_dim`, with zero weights that are not yet allocated.
    ///
    /// # Panics
    /// If projector or predictor have no layer or a layer of width 0, or if a layer has 0 prototypes.
    pub fn init<B: Backend>(&self, feature_dim: usize, device: &B::Device) -> Heads<B> {
        let projector = self.projector.init(feature_dim, device);
        let width = self.embedding_width();
        Heads {
            projector,
            predictor: self.predictor.as_ref().map(|predictor| predictor.init(width, device)),
            prototypes: self.prototypes.iter().map(|layer| layer.init(width, device)).collect(),
        }
    }
}

/// All layers between the representations and the loss. Predictor and prototypes belong to a method's loss, which calls them.
#[derive(Module, Debug)]
pub struct Heads<B: Backend> {
    /// Maps representations [N, F] to embeddings [N, D].
    pub projector: Mlp<B>,
    /// Maps embeddings [N, D] to predictions.
    pub predictor: Option<Mlp<B>>,
    /// Map embeddings [N, D] to scores [N, K].
    pub prototypes: Vec<Prototypes<B>>,
}
