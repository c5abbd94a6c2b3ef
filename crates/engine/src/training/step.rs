//! The gradients of a step in one pass: forward passes, the loss, one backward pass.

use super::TrainBackbone;
use super::loss_stage::{LossGradients, OwnPart, loss_stage};
use super::pending::{PendingReadings, pending};
use super::profile::Phase;
use super::rows::{apart, together};
use super::step_context::StepContext;
use crate::backend::TrainBackend;
use crate::method::{Method, MethodBatch};
use barlow_data::DeviceBatch;
use barlow_model::{Backbone, Model, NormMode, RowKeys};
use barlow_ops::NormOps;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The results of a step before its update.
pub struct StepGradients<B: Backend> {
    /// Of every parameter.
    pub gradients: GradientsParams,
    /// The loss and the method's readings.
    pub readings: PendingReadings<B>,
    /// [N, F] of each view that the network sees, without a graph.
    pub representations: Vec<Tensor<B, 2>>,
}

/// A step without its update on this rank's part of the batch: the teacher's forward passes, the online ones, the loss, the backward pass.
///
/// Views go through the network as the method's spec says; each pass has its own batch statistics and updates the running ones
/// once. On several ranks the gradients are this rank's share; they are still to be summed ([`sum_gradients`](crate::ranks::Ranks::sum_gradients)).
pub fn step_gradients<B: TrainBackend, M: TrainBackbone<B>>(
    context: &StepContext<'_, B, M>,
    method: &mut dyn Method<B>,
    batch: DeviceBatch<B>,
) -> StepGradients<B::InnerBackend> {
    let StepContext {
        model,
        teacher,
        profile,
        ranks,
        ..
    } = context;
    let groups = method.spec().groups_of_views();
    let by_head = method.spec().passes_by_head();
    let of_teacher = method.spec().passes_of_teacher();
    let DeviceBatch {
        views, indices, labels, ..
    } = batch;
    let n = views.first().map_or(0, |view| view.dims()[0]);
    let of_teacher = profile.time(Phase::Forward, || match teacher {
        Some(teacher) => teacher.embeddings(&views, &of_teacher, ranks),
        None => vec![None; views.len()],
    });
    let (representations, embeddings) = profile.time(Phase::Forward, || {
        let mut views: Vec<_> = views.into_iter().map(Some).collect();
        let mut outputs: Vec<_> = views.iter().map(|_| None).collect();
        for passes in &by_head {
            let mut take = |&view: &usize| views[view].take().expect("a view is in one pass");
            let images = passes.iter().map(|pass| pass.iter().map(&mut take).collect()).collect();
            let keys = context.keys(passes, 0..n);
            let output = forward(*model, images, ranks.norm_mode(NormMode::Train), &keys);
            for (&view, (h, z)) in passes.iter().flatten().zip(output) {
                outputs[view] = Some((h.inner(), z));
            }
        }
        // Views that the network does not see have none.
        outputs.into_iter().flatten().unzip::<_, _, Vec<_>, Vec<_>>()
    });
    if !ranks.is_alone() {
        let part = OwnPart {
            embeddings: embeddings.iter().map(|z| z.clone().inner()).collect(),
            teacher: of_teacher,
            groups: &groups,
            indices: &indices,
            labels: &labels,
        };
        let LossGradients {
            readings,
            of_embeddings,
            of_heads,
        } = loss_stage(context, method, part);
        let gradients = profile.time(Phase::Backward, || {
            let mut sum = GradientsAccumulator::new();
            sum.accumulate(*model, of_heads);
            if let Some(dot) = dot(embeddings.into_iter().zip(of_embeddings)) {
                sum.accumulate(*model, GradientsParams::from_grads(dot.backward(), *model));
            }
            sum.grads()
        });
        return StepGradients {
            gradients,
            readings,
            representations,
        };
    }
    let (loss, readings) = profile.time(Phase::Loss, || {
        let batch = MethodBatch {
            embeddings,
            teacher: of_teacher,
            teacher_heads: teacher.map(|teacher| &teacher.model().heads),
            groups: &groups,
            indices: &indices,
            labels: &labels,
            clock: context.clock,
            seed: context.seed,
        };
        let output = method.loss(&model.heads, batch);
        let readings = pending(&output);
        (output.loss, readings)
    });
    let gradients = profile.time(Phase::Backward, || GradientsParams::from_grads(loss.backward(), *model));
    StepGradients {
        gradients,
        readings,
        representations,
    }
}

/// Σ z · gradient, whose gradient for z is that of the loss; `None` if no view has one.
pub(super) fn dot<B: TrainBackend>(
    views: impl Iterator<Item = (Tensor<B, 2>, Option<Tensor<B::InnerBackend, 2>>)>,
) -> Option<Tensor<B, 1>> {
    let terms = views.filter_map(|(z, gradient)| Some((z * Tensor::from_inner(gradient?)).sum()));
    terms.reduce(|sum, term| sum + term)
}

/// Representations and embeddings of each view of some passes, which share one pass of the projector; `keys` of each pass are those
/// of its rows.
///
/// # Panics
/// If the shape of the backbone's output is wrong.
pub(super) fn forward<B: NormOps, M: Backbone<B>>(
    model: &Model<B, M>,
    passes: Vec<Vec<Tensor<B, 4>>>,
    mode: NormMode<'_>,
    keys: &[RowKeys],
) -> Vec<(Tensor<B, 2>, Tensor<B, 2>)> {
    let counts: Vec<usize> = passes.iter().map(Vec::len).collect();
    let views: usize = counts.iter().sum();
    let mut images: Vec<_> = passes.into_iter().map(together).collect();
    let (representations, embeddings) = if images.len() == 1 {
        let output = model.forward_keyed(images.remove(0), mode, &keys[0]);
        (apart(output.representations, views), output.embeddings)
    } else {
        let of_passes = images.into_iter().zip(keys);
        let of_passes = of_passes.map(|(images, keys)| model.backbone.forward_keyed(images, mode, keys));
        let of_views = of_passes.zip(counts).flat_map(|(h, count)| apart(h, count));
        let representations: Vec<_> = of_views.collect();
        let embeddings = model.heads.projector.forward(together(representations.clone()), mode);
        (representations, embeddings)
    };
    representations.into_iter().zip(apart(embeddings, views)).collect()
}
