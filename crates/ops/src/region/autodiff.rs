//! RoIAlign under autodiff: one node, which saves the shape of the features and the regions, but no features.

use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

use super::{RegionOps, Regions};

impl<B: RegionOps, C: CheckpointStrategy> RegionOps for Autodiff<B, C> {
    fn roi_align_forward(x: FloatTensor<Self>, regions: &Regions) -> FloatTensor<Self> {
        let kind = RoiAlignNode.prepare::<C>([x.node.clone()]).compute_bound().stateful();
        let input_shape = x.shape();
        let y = B::roi_align_forward(x.primitive, regions);
        match kind {
            OpsKind::Tracked(prep) => prep.finish((regions.clone(), input_shape), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn's own module ops.
    fn roi_align_backward(_: FloatTensor<Self>, _: &Regions, _: Shape) -> FloatTensor<Self> {
        panic!("Can't differentiate roi_align_backward.");
    }
}

#[derive(Debug)]
struct RoiAlignNode;

impl<B: RegionOps> Backward<B, 1> for RoiAlignNode {
    type State = (Regions, Shape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (regions, input_shape) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::roi_align_backward(gradient, &regions, input_shape)
        });
    }
}
