//! The loss of the whole batch and its gradient for this rank's embeddings: what lies between the two passes of cached gradients, and
//! between the ranks.
//!
//! A loss that can divide its work among the ranks does; for any other, all embeddings are gathered and every rank computes the whole
//! loss, so that a method need not know of ranks. Predictor and prototypes then see the whole batch on every rank, and their gradients,
//! which are whole already, count on rank 0 alone.

use super::TrainBackbone;
use super::pending::{PendingReadings, pending};
use super::profile::Phase;
use super::step_context::StepContext;
use crate::backend::TrainBackend;
use crate::method::{LossOutput, Method, MethodBatch};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

/// What this rank knows of the batch.
pub(super) struct OwnPart<'a, B: Backend> {
    /// [n, D] of each view that the network sees.
    pub embeddings: Vec<Tensor<B, 2>>,
    /// [n, D] of each view; `None` for those that the teacher does not see.
    pub teacher: Vec<Option<Tensor<B, 2>>>,
    pub groups: &'a [usize],
    pub indices: &'a [usize],
    pub labels: &'a [Option<usize>],
}

/// The results of the loss.
pub(super) struct LossGradients<B: Backend> {
    pub readings: PendingReadings<B>,
    /// [n, D] of each of the embeddings; `None` where the loss stops the gradient.
    pub of_embeddings: Vec<Option<Tensor<B, 2>>>,
    /// Of predictor and prototypes.
    pub of_heads: GradientsParams,
}

/// Computes the loss and its gradients.
pub(super) fn loss_stage<B: TrainBackend, M: TrainBackbone<B>>(
    context: &StepContext<'_, B, M>,
    method: &mut dyn Method<B>,
    part: OwnPart<'_, B::InnerBackend>,
) -> LossGradients<B::InnerBackend> {
    context.profile.time(Phase::Loss, || {
        let ranks = context.ranks;
        let shared = match ranks.is_alone() {
            true => None,
            false => {
                let own = leaves::<B>(part.embeddings.clone());
                method.loss_of_share(&own, ranks).map(|output| (own, output))
            }
        };
        let (leaves, output, rows) = match shared {
            Some((own, output)) => (own, output, None),
            None => {
                let rows = part.embeddings.first().map_or(0, |z| z.dims()[0]);
                let (all, output) = whole_loss(context, method, part);
                (all, output, (!ranks.is_alone()).then_some(rows))
            }
        };
        let readings = pending(&output);
        let mut gradients = output.loss.backward();
        let of_embeddings = leaves.iter().map(|z| z.grad_remove(&mut gradients));
        let of_embeddings = of_embeddings
            .map(|gradient| match rows {
                Some(rows) => gradient.map(|all| all.narrow(0, ranks.first_row(), rows)),
                None => gradient,
            })
            .collect();
        let mut of_heads = GradientsParams::from_grads(gradients, context.model);
        if !ranks.is_first() {
            of_heads = zeros(of_heads, context.model);
        }
        // Ranks that are threads share Burn's list of graphs, which is cleaned at the end of a backward pass under the locks of all
        // graphs. So none may enter the next backward pass, which waits for the others, before all have left this one.
        ranks.barrier();
        LossGradients {
            readings,
            of_embeddings,
            of_heads,
        }
    })
}

/// The loss of the embeddings of all ranks.
fn whole_loss<B: TrainBackend, M: TrainBackbone<B>>(
    context: &StepContext<'_, B, M>,
    method: &mut dyn Method<B>,
    part: OwnPart<'_, B::InnerBackend>,
) -> (Vec<Tensor<B, 2>>, LossOutput<B>) {
    let ranks = context.ranks;
    let gather = |z| ranks.gather_rows(z);
    let embeddings = leaves::<B>(part.embeddings.into_iter().map(gather).collect());
    let teacher = part.teacher.into_iter().map(|z| z.map(gather)).collect();
    let of_images = |numbers: &[u64]| ranks.gather_numbers(numbers);
    let indices: Vec<u64> = part.indices.iter().map(|&index| index as u64).collect();
    // 0 for an image without a label.
    let labels: Vec<u64> = part
        .labels
        .iter()
        .map(|label| label.map_or(0, |label| label as u64 + 1))
        .collect();
    let indices: Vec<usize> = of_images(&indices).into_iter().map(|index| index as usize).collect();
    let labels = of_images(&labels).into_iter();
    let labels: Vec<Option<usize>> = labels
        .map(|label| label.checked_sub(1).map(|label| label as usize))
        .collect();
    let batch = MethodBatch {
        embeddings: embeddings.clone(),
        teacher,
        teacher_heads: context.teacher.map(|teacher| &teacher.model().heads),
        groups: part.groups,
        indices: &indices,
        labels: &labels,
        clock: context.clock,
        seed: context.seed,
    };
    let output = method.loss(&context.model.heads, batch);
    (embeddings, output)
}

fn leaves<B: AutodiffBackend>(embeddings: Vec<Tensor<B::InnerBackend, 2>>) -> Vec<Tensor<B, 2>> {
    let leaf = |z| Tensor::from_inner(z).require_grad();
    embeddings.into_iter().map(leaf).collect()
}

/// Zeros for each gradient.
fn zeros<B: AutodiffBackend, M: Module<B>>(gradients: GradientsParams, module: &M) -> GradientsParams {
    struct Zeros(GradientsParams);
    impl<B: AutodiffBackend> ModuleVisitor<B> for Zeros {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = self.0.remove::<B::InnerBackend, D>(param.id) {
                self.0.register(param.id, gradient.zeros_like());
            }
        }
    }
    let mut zeros = Zeros(gradients);
    module.visit(&mut zeros);
    zeros.0
}
