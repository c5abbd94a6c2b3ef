//! A network whose backend is erased: host pixels in, host rows out. What is evaluated is compiled once, not once a backend.

use super::to_host;
use barlow_model::{Backbone, Mlp, NormMode};
use barlow_ops::NormOps;
use burn::tensor::{Tensor, TensorData};

/// Rows of features on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// `[n, width]`, row by row.
    pub values: Vec<f32>,
    /// Features per row.
    pub width: usize,
}

/// A backbone, perhaps with its projector, in `Eval` mode on a device of its own.
pub trait Network {
    /// Representations of images: normalised pixels of `shape` `[n, channels, height, width]` to n rows.
    fn representations(&self, pixels: Vec<f32>, shape: [usize; 4]) -> Rows;

    /// The projector's embeddings of n representations; `None` without a projector.
    fn embeddings(&self, representations: Rows) -> Option<Rows>;

    /// Width of the representations.
    fn width(&self) -> usize;
}

/// A network on a device of the backend `B`.
pub(crate) struct NetworkOnDevice<B: NormOps, M> {
    pub(crate) backbone: M,
    pub(crate) projector: Option<Mlp<B>>,
    pub(crate) device: B::Device,
}

impl<B: NormOps, M: Backbone<B>> Network for NetworkOnDevice<B, M> {
    fn representations(&self, pixels: Vec<f32>, shape: [usize; 4]) -> Rows {
        let images = Tensor::<B, 4>::from_data(TensorData::new(pixels, shape), &self.device);
        rows(self.backbone.forward(images, NormMode::Eval))
    }

    fn embeddings(&self, representations: Rows) -> Option<Rows> {
        let projector = self.projector.as_ref()?;
        let shape = [
            representations.values.len() / representations.width,
            representations.width,
        ];
        let input = Tensor::<B, 2>::from_data(TensorData::new(representations.values, shape), &self.device);
        Some(rows(projector.forward(input, NormMode::Eval)))
    }

    fn width(&self) -> usize {
        self.backbone.feature_dim()
    }
}

fn rows<B: NormOps>(tensor: Tensor<B, 2>) -> Rows {
    let width = tensor.dims()[1];
    Rows {
        values: to_host(tensor),
        width,
    }
}
