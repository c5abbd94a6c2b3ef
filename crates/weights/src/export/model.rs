//! A model to be exported: its architecture, its tensors by name, and facts about it.

use super::card::ModelCard;
use crate::error::WeightsError;
use crate::file::WeightsFile;
use crate::import::{Import, ImportTensor};
use crate::layout::Architecture;
use crate::write::LazyValues;
use std::borrow::Cow;

/// A tensor of a model, read when it is needed.
#[derive(Debug)]
pub struct ModelTensor<'a> {
    /// Its name.
    pub name: String,
    /// Its shape, in torch's layout: a linear weight is [out, in].
    pub shape: Vec<usize>,
    pub(super) values: LazyValues<'a>,
}

impl<'a> ModelTensor<'a> {
    /// A tensor whose values, in row-major order, are in memory.
    pub fn borrowed(name: impl Into<String>, shape: &[usize], values: &'a [f32]) -> Self {
        Self::of_values(name.into(), shape, move || Ok(Cow::Borrowed(values)))
    }

    /// A tensor whose values, in row-major order, `read` returns: once for each pass over them.
    pub fn lazy(
        name: impl Into<String>,
        shape: &[usize],
        read: impl Fn() -> Result<Vec<f32>, WeightsError> + Send + Sync + 'a,
    ) -> Self {
        Self::of_values(name.into(), shape, move || read().map(Cow::Owned))
    }

    fn of_values(
        name: String,
        shape: &[usize],
        read: impl Fn() -> Result<Cow<'a, [f32]>, WeightsError> + Send + Sync + 'a,
    ) -> Self {
        let len = shape.iter().fold(1usize, |product, &size| product.saturating_mul(size));
        Self {
            name,
            shape: shape.to_vec(),
            values: LazyValues::new(len, read),
        }
    }

    fn of_import(file: &'a WeightsFile, tensor: &ImportTensor) -> Self {
        let (name, shape, tensor) = (tensor.name.clone(), tensor.shape.clone(), tensor.clone());
        Self::lazy(name, &shape, move || tensor.read(file))
    }
}

/// A model to be exported.
#[derive(Debug)]
pub struct ExportModel<'a> {
    /// Architecture of the backbone.
    pub architecture: Architecture,
    /// Every tensor of the backbone, by torchvision's names (a ResNet's) or timm's (a vision transformer's). Any order.
    pub backbone: Vec<ModelTensor<'a>>,
    /// Every tensor of the projector, `projector.N.…`, numbered as an `nn.Sequential` of Linear, BatchNorm and ReLU; empty to export
    /// the backbone alone.
    pub projector: Vec<ModelTensor<'a>>,
    /// `num_batches_tracked` of every batch norm: training steps.
    pub batches: i64,
    /// Facts about the model.
    pub card: ModelCard,
}

impl<'a> ExportModel<'a> {
    /// What is imported from `file`, such as a run's checkpoint, which stays on the disk: each tensor is read when it is written.
    pub fn of_import(file: &'a WeightsFile, import: &Import) -> Self {
        let tensors = |tensors: &[ImportTensor]| {
            let tensors = tensors.iter();
            tensors.map(|tensor| ModelTensor::of_import(file, tensor)).collect()
        };
        Self {
            architecture: import.architecture.clone(),
            backbone: tensors(&import.backbone),
            projector: tensors(&import.projector),
            batches: 0,
            card: ModelCard::default(),
        }
    }
}
