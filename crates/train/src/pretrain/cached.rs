//! A step whose batch is larger than the device holds, in two passes with cached gradients (Gao et al. 2021, arXiv 2101.06983).
//!
//! The loss correlates over all N images, so gradients of micro-batches' own losses do not add up to its gradient. The gradient
//! for the embeddings does: the first pass makes all embeddings without a graph, the loss gives dL/dz for the whole N × D, and
//! the second pass makes each micro-batch's embeddings again and sends its rows of dL/dz back. Batch norm inside the network
//! sees micro-batches, as it sees a device's share in data-parallel training; all else is the one-pass step to rounding.

use super::parts::{TrainBackbone, TwinLoss};
use super::profile::{Phase, Profile};
use super::step::{StepGradients, pending};
use crate::backend::TrainBackend;
use barlow_data::HostBatch;
use barlow_model::{BarlowTwinsModel, NormMode};
use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use std::ops::Range;

/// As [`step_gradients`](super::step_gradients), `micro_batch` images of one view at a time.
///
/// The running statistics move once for every micro-batch of each view, first those of view a, with the second pass.
///
/// # Panics
/// If `micro_batch` is 0.
pub fn cached_step_gradients<B: TrainBackend, M: TrainBackbone<B>>(
    model: &BarlowTwinsModel<B, M>,
    loss: &impl TwinLoss<B>,
    batch: &HostBatch,
    micro_batch: usize,
    device: &B::Device,
    profile: &Profile,
) -> StepGradients<B::InnerBackend> {
    assert!(micro_batch > 0, "a micro-batch of no images");
    let views = [&batch.view_a, &batch.view_b];
    let parts: Vec<Range<usize>> = (0..batch.n)
        .step_by(micro_batch)
        .map(|start| start..batch.n.min(start + micro_batch))
        .collect();

    let plain = model.valid();
    let outputs = views.map(|view| {
        let part = |rows: &Range<usize>| {
            let images = profile.time(Phase::ToDevice, || {
                batch.rows_to_device::<B::InnerBackend>(view, rows.clone(), device)
            });
            let output = profile.time(Phase::Forward, || plain.forward(images, NormMode::TrainFrozenStats));
            (output.representations, output.embeddings)
        };
        let (representations, embeddings) = parts.iter().map(part).unzip();
        [Tensor::cat(representations, 0), Tensor::cat(embeddings, 0)]
    });
    let [[h_a, z_a], [h_b, z_b]] = outputs;
    let [z_a, z_b] = [z_a, z_b].map(|z| Tensor::<B, 2>::from_inner(z).require_grad());
    let (values, of_embeddings) = profile.time(Phase::Loss, || {
        let output = loss.forward(z_a.clone(), z_b.clone());
        let values = pending(&output);
        let mut gradients = output.loss.backward();
        let of = [z_a, z_b].map(|z| z.grad_remove(&mut gradients).expect("the loss depends on both views"));
        (values, of)
    });

    let mut sum = GradientsAccumulator::new();
    for (view, gradient) in views.into_iter().zip(of_embeddings) {
        for rows in &parts {
            let images = profile.time(Phase::ToDevice, || {
                batch.rows_to_device::<B>(view, rows.clone(), device)
            });
            let z = profile.time(Phase::Forward, || model.forward(images, NormMode::Train).embeddings);
            profile.time(Phase::Backward, || {
                // Its gradient for z is that of the loss.
                let slope = Tensor::from_inner(gradient.clone().narrow(0, rows.start, rows.len()));
                let gradients = GradientsParams::from_grads((z * slope).sum().backward(), model);
                sum.accumulate(model, gradients);
            });
        }
    }
    StepGradients {
        gradients: sum.grads(),
        values,
        representations: [h_a, h_b],
    }
}

#[cfg(all(test, feature = "cpu"))]
#[path = "cached_tests.rs"]
mod tests;
