//! A network whose backend is erased: host pixels in, host rows out. What is evaluated is compiled once, not once a backend.

use super::layer::FeatureLayer;
use super::to_host;
use anyhow::{Context, Result};
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

    /// The four averages of [`FeatureLayer::Quarters`]; `None` for a network without a last map of at least two pixels a side.
    fn quarters(&self, _pixels: Vec<f32>, _shape: [usize; 4]) -> Option<Rows> {
        None
    }

    /// The projector's embeddings of n representations; `None` without a projector.
    fn embeddings(&self, representations: Rows) -> Option<Rows>;

    /// Width of the representations.
    fn width(&self) -> usize;
}

impl dyn Network + '_ {
    /// The features of images in a layer, n rows.
    ///
    /// # Errors
    /// If the network has no such layer.
    pub fn features(&self, pixels: Vec<f32>, shape: [usize; 4], layer: FeatureLayer) -> Result<Rows> {
        match layer {
            FeatureLayer::Pooled => Ok(self.representations(pixels, shape)),
            FeatureLayer::Quarters => self.quarters(pixels, shape).context(
                "the features 2x2 need a ResNet whose last map has at least 2 x 2 pixels; take avgpool, or a larger eval.crop",
            ),
        }
    }
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

    fn quarters(&self, pixels: Vec<f32>, shape: [usize; 4]) -> Option<Rows> {
        let images = Tensor::<B, 4>::from_data(TensorData::new(pixels, shape), &self.device);
        let map = self.backbone.forward_map(images, NormMode::Eval)?;
        let [n, channels, height, width] = map.dims();
        if height < 2 || width < 2 {
            return None;
        }
        let corner = |(top, left): (usize, usize)| {
            let window = map
                .clone()
                .slice([0..n, 0..channels, top..top + height - 1, left..left + width - 1]);
            window.mean_dim(3).mean_dim(2).reshape([n, channels, 1])
        };
        let corners = [(0, 0), (0, 1), (1, 0), (1, 1)].map(corner);
        Some(rows(Tensor::cat(corners.to_vec(), 2).reshape([n, 4 * channels])))
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
