//! A custom loss of two views as a method.

use super::{LossOutput, Method, MethodBatch, MethodPlan, MethodSpec, Outlook};
use crate::backend::TrainBackend;
use barlow_loss::ops::LossOps;
use barlow_loss::{BarlowTwinsLoss, BarlowTwinsOutput};
use barlow_model::Heads;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A custom loss of both views' embeddings.
pub trait TwinLoss<B: Backend> {
    /// The loss of a batch. Readings that the loss does not have are zeros. NaN is an error that ends the run.
    ///
    /// # Shapes
    /// - z_a, z_b: [N, D], row k of both from image k
    /// - every output: `[1]`
    fn forward(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B>;

    /// The least value of the loss for N pairs of D features, if known.
    fn floor(&self, _n: usize, _d: usize) -> Option<f64> {
        None
    }
}

impl<B: LossOps> TwinLoss<B> for BarlowTwinsLoss {
    fn forward(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B> {
        Self::forward(self, z_a, z_b)
    }

    fn floor(&self, n: usize, d: usize) -> Option<f64> {
        Self::floor(self, n, d)
    }
}

/// A [`TwinLoss`] on two views and a projector.
pub struct TwinLossMethod<L> {
    loss: L,
    plan: MethodPlan,
}

impl<L> TwinLossMethod<L> {
    /// A method of two views. The plan is that of a two-view method such as Barlow Twins; the name becomes `custom`, and the
    /// floor that of the loss for `batch_size` pairs.
    ///
    /// # Panics
    /// If the spec does not have two views.
    pub fn new<B: Backend>(loss: L, MethodPlan { spec, outlook }: MethodPlan, batch_size: usize) -> Self
    where
        L: TwinLoss<B>,
    {
        let views = spec.groups_of_views().len();
        assert!(views == 2, "a loss of two views, and a spec of {views}");
        let floor = loss.floor(batch_size, spec.heads.embedding_width());
        Self {
            loss,
            plan: MethodPlan {
                spec: MethodSpec {
                    kind: "custom".to_owned(),
                    ..spec
                },
                outlook: Outlook {
                    settings: "custom loss".to_owned(),
                    floor,
                    start: None,
                    ..outlook
                },
            },
        }
    }
}

impl<B: TrainBackend, L: TwinLoss<B> + Send> Method<B> for TwinLossMethod<L> {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, _heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B> {
        let [z_a, z_b] = two(batch.embeddings);
        self.loss.forward(z_a, z_b).into()
    }
}

/// Both views of a two-view method.
///
/// # Panics
/// If there are not two.
pub(crate) fn two<T>(views: Vec<T>) -> [T; 2] {
    let count = views.len();
    views
        .try_into()
        .unwrap_or_else(|_| panic!("a method of two views got {count}"))
}

impl<B: Backend> From<BarlowTwinsOutput<B>> for LossOutput<B> {
    fn from(output: BarlowTwinsOutput<B>) -> Self {
        Self {
            loss: output.loss,
            readings: vec![
                ("invariance", output.invariance),
                ("redundancy_reduction", output.redundancy_reduction),
                ("diagonal_mean", output.diagonal_mean),
                ("off_diagonal_rms", output.off_diagonal_rms),
            ],
        }
    }
}
