//! The gradients of a step in one pass: forward passes, the loss, one backward pass.

use super::TrainBackbone;
use super::pending::{PendingReadings, pending};
use super::profile::{Phase, Profile};
use super::teacher::Teacher;
use crate::backend::TrainBackend;
use crate::method::{Clock, Method, MethodBatch};
use barlow_data::DeviceBatch;
use barlow_model::{Model, NormMode, RowKeys};
use burn::optim::GradientsParams;
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

/// The inputs of a step besides its batch.
pub struct StepContext<'a, B: TrainBackend, M: TrainBackbone<B>> {
    /// The network.
    pub model: &'a Model<B, M>,
    /// The method's teacher.
    pub teacher: Option<&'a Teacher<B, M>>,
    /// The position of the step in the run.
    pub clock: Clock,
    /// The run's seed.
    pub seed: u64,
    /// The time profile.
    pub profile: &'a Profile,
}

/// A step without its update: the teacher's forward passes, the online ones, the loss, the backward pass.
///
/// Views go through the network as the method's spec says; each pass has its own batch statistics and updates the running ones
/// once.
pub fn step_gradients<B: TrainBackend, M: TrainBackbone<B>>(
    context: &StepContext<'_, B, M>,
    method: &mut dyn Method<B>,
    batch: DeviceBatch<B>,
) -> StepGradients<B::InnerBackend> {
    let StepContext {
        model,
        teacher,
        profile,
        ..
    } = context;
    let groups = method.spec().groups_of_views();
    let passes = method.spec().passes_of_views();
    let DeviceBatch { views, indices, .. } = batch;
    let images = views.first().map_or(0, |view| view.dims()[0]);
    let of_teacher = profile.time(Phase::Forward, || {
        let see = |teacher: &Teacher<B, M>| teacher.embeddings(&views, &groups);
        teacher.map_or_else(|| vec![None; views.len()], see)
    });
    let (representations, embeddings) = profile.time(Phase::Forward, || {
        let mut views: Vec<_> = views.into_iter().map(Some).collect();
        let mut outputs: Vec<_> = views.iter().map(|_| None).collect();
        for pass in &passes {
            let seen = pass
                .iter()
                .map(|&view| views[view].take().expect("a view is in one pass"));
            let keys = RowKeys::new(context.seed, context.clock.step, pass, 0..images);
            let output = model.forward_keyed(together(seen.collect()), NormMode::Train, &keys);
            let representations = apart(output.representations.inner(), pass.len());
            let embeddings = apart(output.embeddings, pass.len());
            for ((&view, h), z) in pass.iter().zip(representations).zip(embeddings) {
                outputs[view] = Some((h, z));
            }
        }
        // Views that the network does not see have none.
        outputs.into_iter().flatten().unzip::<_, _, Vec<_>, Vec<_>>()
    });
    let (loss, readings) = profile.time(Phase::Loss, || {
        let batch = MethodBatch {
            embeddings,
            teacher: of_teacher,
            teacher_heads: teacher.map(|teacher| &teacher.model().heads),
            groups: &groups,
            indices: &indices,
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

/// Views of one pass as one tensor, one after the other.
pub(super) fn together<B: Backend, const D: usize>(mut views: Vec<Tensor<B, D>>) -> Tensor<B, D> {
    if views.len() == 1 {
        return views.remove(0);
    }
    Tensor::cat(views, 0)
}

/// The rows of each of `count` views of one pass.
pub(super) fn apart<B: Backend>(rows: Tensor<B, 2>, count: usize) -> Vec<Tensor<B, 2>> {
    if count == 1 {
        return vec![rows];
    }
    rows.chunk(count, 0)
}
