//! The trait of a method.

use super::{Clock, LossOutput, MethodBatch, MethodPlan, MethodSpec, Outlook, WholeSet};
use crate::backend::TrainBackend;
use crate::ranks::Ranks;
use barlow_data::HostBatch;
use barlow_model::{Heads, ParamKind, StateDict};
use burn::tensor::Tensor;

/// What a method does in a step. Object-safe, and generic over the backend alone: a method adds one loss to compile, not a
/// training loop.
///
/// Before a step that [wants it](Method::wants_whole_set) comes a pass over the whole training set ([`whole_set`](Method::whole_set)).
/// The order of a step: [`derive`](Method::derive) · [`before_step`](Method::before_step) · the teacher's update before its pass · its forward passes, without
/// a graph · the online forward passes · [`loss`](Method::loss) · the second pass of cached gradients ·
/// [`gradient`](Method::gradient) of every parameter · the optimiser · the teacher's update after the step ·
/// [`after_step`](Method::after_step).
///
/// The loss sees the whole batch: with micro-batches only backbone and projector run piece by piece, twice, and predictor and
/// prototypes once, so that one pass and many micro-batches differ by the batch norms of backbone and projector alone.
pub trait Method<B: TrainBackend>: Send {
    /// Its parts and the estimates for its loss, as data.
    fn plan(&self) -> &MethodPlan;

    /// Its parts.
    fn spec(&self) -> &MethodSpec {
        &self.plan().spec
    }

    /// The estimates for its loss.
    fn outlook(&self) -> &Outlook {
        &self.plan().outlook
    }

    /// Number of prototypes or labels that the readings `prototype_use` and `code_entropy` are of, if any.
    fn codes(&self) -> Option<usize> {
        None
    }

    /// Adds the spec's derived views to a batch on the host, before it is divided into micro-batches. Draws are keyed by the seed
    /// and the step, so that [`loss`](Method::loss) can repeat them.
    fn derive(&mut self, _batch: &mut HostBatch, _clock: Clock, _seed: u64) {}

    /// The loss of a batch.
    fn loss(&mut self, heads: &Heads<B>, batch: MethodBatch<'_, B>) -> LossOutput<B>;

    /// The loss of a batch that is spread over ranks, from this rank's rows of each view's embeddings, if its work can be divided
    /// among the ranks: the loss and the readings are those of the whole batch, and gradients of the embeddings this rank's exact
    /// share. There must be no exchange in the backward pass. Without it every rank calls [`loss`](Method::loss) with the rows of all.
    fn loss_of_share(&mut self, _embeddings: &[Tensor<B, 2>], _ranks: &Ranks) -> Option<LossOutput<B>> {
        None
    }

    /// Before anything is computed in a step; may change the heads' values (SwAV's unit prototypes).
    fn before_step(&mut self, heads: Heads<B>, _clock: Clock) -> Heads<B> {
        heads
    }

    /// A parameter's gradient (a matrix of its first axis by the rest) on its way to the optimiser, by exported name: changed, or
    /// `None` to leave the parameter and its momentum as they are.
    fn gradient(
        &mut self,
        _name: &str,
        _kind: ParamKind,
        gradient: Tensor<B::InnerBackend, 2>,
        _clock: Clock,
    ) -> Option<Tensor<B::InnerBackend, 2>> {
        Some(gradient)
    }

    /// After the optimiser and the teacher's update (queues, centres).
    fn after_step(&mut self, _clock: Clock) {}

    /// Before the first step of an epoch, or before the first step of a resumed session within it.
    fn epoch(&mut self, _clock: Clock) {}

    /// Whether the network is to see every image of the training set before this step. Depends on the clock alone, because a run that
    /// is resumed at this step asks again.
    fn wants_whole_set(&self, _clock: Clock) -> bool {
        false
    }

    /// The result of such a pass: view 0 of every image once, with the training views, in training mode, so that running statistics
    /// are updated. `stop` is to be asked now and then.
    ///
    /// Returns whether it came to its end: if `stop` said so, it did not, and the state must be as before it. The pass is then
    /// repeated when the run is resumed.
    fn whole_set(
        &mut self,
        _heads: &Heads<B::InnerBackend>,
        _set: &WholeSet,
        _clock: Clock,
        _seed: u64,
        _stop: &dyn Fn() -> bool,
    ) -> bool {
        true
    }

    /// Everything that a later step reads besides the weights, by name.
    fn state(&self) -> StateDict {
        StateDict::new()
    }

    /// Restores what [`state`](Method::state) gave.
    ///
    /// # Errors
    /// A one-line error if the state is another method's, or of another shape.
    fn load_state(&mut self, state: &StateDict, _device: &B::Device) -> Result<(), String> {
        match state.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!(
                "{} has no state, and the checkpoint has {key}",
                self.spec().kind
            )),
        }
    }
}
