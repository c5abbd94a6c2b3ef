//! The fused forms under autodiff: one node for the packed sums, with both embeddings as parents and gradients computed by the
//! inner backend.

use burn::tensor::ops::FloatTensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};

use super::{Forward, LossOps, Product, Saved};

impl<B: LossOps, C: CheckpointStrategy> LossOps for Autodiff<B, C> {
    fn largest_buffer(device: &Self::Device) -> Option<u64> {
        B::largest_buffer(device)
    }

    fn terms_forward(product: Product, z: [FloatTensor<Self>; 2], epsilon: f64, _keep: bool) -> Forward<Self> {
        let nodes = z.each_ref().map(|z| z.node.clone());
        let sums = match Terms.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let ids = z.each_ref().map(|z| prep.checkpoint(z));
                let Forward { sums, kept } = B::terms_forward(product, z.map(|z| z.primitive), epsilon, true);
                prep.finish(TermsState { product, z: ids, kept }, sums)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::terms_forward(product, z.map(|z| z.primitive), epsilon, false).sums)
            }
        };
        Forward { sums, kept: vec![] }
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn's own module ops.
    fn terms_backward(
        _product: Product,
        _saved: Saved<Self>,
        _gradient: FloatTensor<Self>,
        _wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        panic!("Can't differentiate terms_backward.");
    }
}

#[derive(Debug)]
struct Terms;

/// State of the node: the ids of the embeddings in the checkpointer, and the tensors that the form saved.
#[derive(Clone, Debug)]
struct TermsState<T> {
    product: Product,
    z: [NodeId; 2],
    kept: Vec<T>,
}

impl<B: LossOps> Backward<B, 2> for Terms {
    type State = TermsState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let TermsState { product, z, kept } = ops.state;
        let z = z.map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let gradient = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = B::terms_backward(product, Saved { z, kept }, gradient, wanted);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
