//! The heads of a model: the projector, and what some methods put behind it.

use crate::mlp::{Mlp, MlpConfig};
use crate::prototypes::{Prototypes, PrototypesConfig};
use burn::module::Module;
use burn::tensor::backend::Backend;
use serde::Serialize;

/// Settings of [`Heads`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeadsConfig {
    /// Representations to embeddings.
    pub projector: MlpConfig,
    /// Embeddings to predictions (BYOL, SimSiam, MoCo v3).
    pub predictor: Option<MlpConfig>,
    /// Layers of prototypes, each over the embeddings (SwAV one, SeLa several).
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

    /// The heads over representations of width `feature_dim`, with zero weights that are not yet allocated.
    ///
    /// # Panics
    /// If projector or predictor have no layer or one of width 0, or if there are 0 prototypes in a layer.
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

/// Everything between the representations and the loss. Predictor and prototypes belong to a method's loss, which calls them.
#[derive(Module, Debug)]
pub struct Heads<B: Backend> {
    /// Representations [N, F] to embeddings [N, D].
    pub projector: Mlp<B>,
    /// Embeddings [N, D] to predictions.
    pub predictor: Option<Mlp<B>>,
    /// Embeddings [N, D] to scores [N, K].
    pub prototypes: Vec<Prototypes<B>>,
}
