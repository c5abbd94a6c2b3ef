//! The gradients of a step in one pass: two forward passes, the loss, one backward pass.

use super::parts::{TrainBackbone, TwinLoss};
use super::profile::{Phase, Profile};
use crate::backend::TrainBackend;
use crate::summary::LossValues;
use barlow_loss::BarlowTwinsOutput;
use barlow_model::{BarlowTwinsModel, NormMode};
use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The loss values of a step, still on the device: reading them waits for it, so they are read when they are logged.
#[derive(Clone, Debug)]
pub struct PendingValues<B: Backend>(Tensor<B, 1>);

impl<B: Backend> PendingValues<B> {
    /// Waits for the device and reads the values.
    pub fn read(self) -> LossValues {
        let values: Vec<f32> = self
            .0
            .into_data()
            .convert::<f32>()
            .into_vec()
            .expect("converted to f32 above");
        LossValues::from_slice(&values)
    }
}

/// What a step makes before its update.
pub struct StepGradients<B: Backend> {
    /// Of every parameter.
    pub gradients: GradientsParams,
    /// The loss.
    pub values: PendingValues<B>,
    /// [N, F] of each view, without a graph.
    pub representations: [Tensor<B, 2>; 2],
}

/// A step without its update: both forward passes, the loss, the backward pass. `views` are [N, C, H, W], normalised.
///
/// The views go through the network one after the other, so that each has its own batch statistics (as the official
/// code); the running statistics move twice.
pub fn step_gradients<B: TrainBackend, M: TrainBackbone<B>>(
    model: &BarlowTwinsModel<B, M>,
    loss: &impl TwinLoss<B>,
    views: [Tensor<B, 4>; 2],
    profile: &Profile,
) -> StepGradients<B::InnerBackend> {
    let outputs = profile.time(Phase::Forward, || {
        views.map(|view| model.forward(view, NormMode::Train))
    });
    let representations = [0, 1].map(|view| outputs[view].representations.clone().inner());
    let [z_a, z_b] = outputs.map(|output| output.embeddings);
    let (loss, values) = profile.time(Phase::Loss, || {
        let output = loss.forward(z_a, z_b);
        let values = pending(&output);
        (output.loss, values)
    });
    let gradients = profile.time(Phase::Backward, || GradientsParams::from_grads(loss.backward(), model));
    StepGradients {
        gradients,
        values,
        representations,
    }
}

/// The values of a loss, without its graph.
pub(super) fn pending<B: TrainBackend>(output: &BarlowTwinsOutput<B>) -> PendingValues<B::InnerBackend> {
    let BarlowTwinsOutput {
        loss,
        invariance,
        redundancy_reduction,
        diagonal_mean,
        off_diagonal_rms,
        ..
    } = output;
    let parts = [loss, invariance, redundancy_reduction, diagonal_mean, off_diagonal_rms];
    PendingValues(Tensor::cat(parts.map(|part| part.clone().inner()).to_vec(), 0))
}

/// The trained model without the means to differentiate it.
pub fn valid<B: TrainBackend, M: TrainBackbone<B>>(
    model: &BarlowTwinsModel<B, M>,
) -> BarlowTwinsModel<B::InnerBackend, M::InnerModule> {
    model.valid()
}
