//! A step whose batch is larger than the device holds, in two passes with cached gradients (Gao et al. 2021, arXiv 2101.06983).
//!
//! The loss of all N images is not a sum of losses of micro-batches, but the network only needs its gradient for the embeddings:
//! the first pass computes all embeddings without a graph, the loss gives dL/dz for the whole N × D, and
//! the second pass computes each micro-batch's embeddings again and backpropagates its rows of dL/dz. Predictor and prototypes
//! belong to the loss: they run once, on the whole batch. Batch norm inside backbone and projector sees micro-batches, as it sees
//! a device's share in data-parallel training; all else is the one-pass step to rounding.

use super::TrainBackbone;
use super::loss_stage::{LossGradients, OwnPart, loss_stage};
use super::profile::Phase;
use super::step::{StepGradients, dot, forward};
use super::step_context::StepContext;
use super::teacher::Teacher;
use crate::backend::TrainBackend;
use crate::method::Method;
use barlow_data::HostBatch;
use barlow_model::NormMode;
use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use std::collections::BTreeMap;
use std::ops::Range;

/// As [`step_gradients`](super::step_gradients), `micro_batch` images of one pass at a time.
///
/// On several ranks `micro_batch` is the number of images of this rank; all ranks have as many micro-batches.
///
/// The running statistics are updated once for every micro-batch of each pass, pass by pass, with the second forward pass; a
/// teacher's with its only one.
///
/// # Panics
/// If `micro_batch` is 0.
pub fn cached_step_gradients<B: TrainBackend, M: TrainBackbone<B>>(
    context: &StepContext<'_, B, M>,
    method: &mut dyn Method<B>,
    batch: &HostBatch,
    micro_batch: usize,
    device: &B::Device,
) -> StepGradients<B::InnerBackend> {
    assert!(micro_batch > 0, "a micro-batch of no images");
    let StepContext {
        model, profile, ranks, ..
    } = context;
    let groups = method.spec().groups_of_views();
    let by_head = method.spec().passes_by_head();
    let of_teacher = method.spec().passes_of_teacher();
    let parts = ranks.micro_batches(batch.n, micro_batch);

    let of_teacher = match context.teacher {
        Some(teacher) => teacher_embeddings(context, teacher, batch, &of_teacher, &parts, device),
        None => vec![None; batch.views.len()],
    };
    let plain = model.valid();
    let mut representations: Vec<Vec<_>> = batch.views.iter().map(|_| Vec::new()).collect();
    let mut embeddings = representations.clone();
    for passes in &by_head {
        for rows in &parts {
            let images = profile.time(Phase::ToDevice, || {
                images::<B::InnerBackend>(batch, passes, rows, device)
            });
            let output = profile.time(Phase::Forward, || {
                let keys = context.keys(passes, rows.clone());
                forward(&plain, images, ranks.norm_mode(NormMode::TrainFrozenStats), &keys)
            });
            for (&view, (h, z)) in passes.iter().flatten().zip(output) {
                representations[view].push(h);
                embeddings[view].push(z);
            }
        }
    }
    let whole = |parts: Vec<Tensor<B::InnerBackend, 2>>| Tensor::cat(parts, 0);
    let online = method.spec().online_views();
    let of_online = |parts: &mut Vec<Vec<_>>| -> Vec<Tensor<B::InnerBackend, 2>> {
        online
            .iter()
            .map(|&view| whole(std::mem::take(&mut parts[view])))
            .collect()
    };
    let representations = of_online(&mut representations);
    let mut sum = GradientsAccumulator::new();
    let part = OwnPart {
        embeddings: of_online(&mut embeddings),
        teacher: of_teacher,
        groups: &groups,
        indices: &batch.indices,
        labels: &batch.labels,
    };
    let LossGradients {
        readings,
        of_embeddings,
        of_heads,
    } = loss_stage(context, method, part);
    // Those of predictor and prototypes; the network's others come with the second pass. A view whose gradient the loss stops has
    // none.
    sum.accumulate(*model, of_heads);
    let of_embeddings: BTreeMap<usize, _> = online.iter().copied().zip(of_embeddings).collect();

    for passes in &by_head {
        let gradients: Vec<_> = passes.iter().flatten().map(|view| &of_embeddings[view]).collect();
        for rows in &parts {
            let images = profile.time(Phase::ToDevice, || images::<B>(batch, passes, rows, device));
            let output = profile.time(Phase::Forward, || {
                let keys = context.keys(passes, rows.clone());
                forward(*model, images, ranks.norm_mode(NormMode::Train), &keys)
            });
            profile.time(Phase::Backward, || {
                let views = output.into_iter().zip(&gradients).map(|((_, z), gradient)| {
                    let rows_of = |all: &Tensor<B::InnerBackend, 2>| all.clone().narrow(0, rows.start, rows.len());
                    (z, gradient.as_ref().map(rows_of))
                });
                let Some(dot) = dot(views) else {
                    return;
                };
                let gradients = GradientsParams::from_grads(dot.backward(), *model);
                sum.accumulate(*model, gradients);
            });
        }
    }
    StepGradients {
        gradients: sum.grads(),
        readings,
        representations,
    }
}

/// The rows of the views of each pass.
fn images<B: Backend>(
    batch: &HostBatch,
    passes: &[Vec<usize>],
    rows: &Range<usize>,
    device: &B::Device,
) -> Vec<Vec<Tensor<B, 4>>> {
    let of_view = |&view: &usize| batch.rows_to_device(view, rows.clone(), device);
    passes.iter().map(|pass| pass.iter().map(of_view).collect()).collect()
}

/// The teacher's embeddings of each view that it sees, pass by pass and micro-batch by micro-batch.
fn teacher_embeddings<B: TrainBackend, M: TrainBackbone<B>>(
    context: &StepContext<'_, B, M>,
    teacher: &Teacher<B, M>,
    batch: &HostBatch,
    passes: &[Vec<usize>],
    parts: &[Range<usize>],
    device: &B::Device,
) -> Vec<Option<Tensor<B::InnerBackend, 2>>> {
    let mut embeddings: Vec<Vec<_>> = batch.views.iter().map(|_| Vec::new()).collect();
    for pass in passes {
        for rows in parts {
            let images = context.profile.time(Phase::ToDevice, || {
                let of_view = |&view: &usize| batch.rows_to_device::<B::InnerBackend>(view, rows.clone(), device);
                pass.iter().map(of_view).collect()
            });
            let of_part = context
                .profile
                .time(Phase::Forward, || teacher.forward(images, context.ranks));
            for (&view, z) in pass.iter().zip(of_part) {
                embeddings[view].push(z);
            }
        }
    }
    let whole = |parts: Vec<_>| (!parts.is_empty()).then(|| Tensor::cat(parts, 0));
    embeddings.into_iter().map(whole).collect()
}

#[cfg(all(test, feature = "cpu"))]
#[path = "cached_tests.rs"]
mod tests;
