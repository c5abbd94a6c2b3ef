//! Convolution under autodiff: one node whose gradients the inner backend computes.
//!
//! Each operand is saved only if the other one needs a gradient. For an untracked input (the images) the input gradient is not
//! computed and the weight is not saved. Must not depend on a particular backend.

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};

use super::ConvOps;
use crate::ConvGeometry;

impl<B: ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn conv2d_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        let (x_tracked, weight_tracked) = (x.is_tracked(), weight.is_tracked());
        match ConvNode
            .prepare::<C>([x.node.clone(), weight.node.clone()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let state = ConvState {
                    geometry,
                    x_shape: x.shape(),
                    weight_shape: weight.shape(),
                    x: weight_tracked.then(|| prep.checkpoint(&x)),
                    weight: x_tracked.then(|| prep.checkpoint(&weight)),
                };
                prep.finish(state, B::conv2d_forward(x.primitive, weight.primitive, geometry))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::conv2d_forward(x.primitive, weight.primitive, geometry)),
        }
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn.
    fn conv2d_input_gradient(
        _weight: FloatTensor<Self>,
        _output_gradient: FloatTensor<Self>,
        _geometry: ConvGeometry,
        _input_shape: Shape,
    ) -> FloatTensor<Self> {
        panic!("Can't differentiate conv2d_input_gradient.");
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn.
    fn conv2d_input_gradient_onto(
        _weight: FloatTensor<Self>,
        _output_gradient: FloatTensor<Self>,
        _geometry: ConvGeometry,
        _sum: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        panic!("Can't differentiate conv2d_input_gradient_onto.");
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn.
    fn conv2d_weight_gradient(
        _x: FloatTensor<Self>,
        _output_gradient: FloatTensor<Self>,
        _geometry: ConvGeometry,
        _weight_shape: Shape,
    ) -> FloatTensor<Self> {
        panic!("Can't differentiate conv2d_weight_gradient.");
    }
}

#[derive(Debug)]
struct ConvNode;

/// State of the node. The checkpointer holds the tensors under their nodes' ids.
#[derive(Clone, Debug)]
struct ConvState {
    geometry: ConvGeometry,
    x_shape: Shape,
    weight_shape: Shape,
    x: Option<NodeId>,
    weight: Option<NodeId>,
}

impl<B: ConvOps> Backward<B, 2> for ConvNode {
    type State = ConvState;

    fn backward(self, ops: Ops<ConvState, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [x_node, weight_node] = ops.parents;
        let ConvState {
            geometry,
            x_shape,
            weight_shape,
            x,
            weight,
        } = ops.state;
        let output_gradient = grads.consume::<B>(&ops.node);
        // Every checkpoint is retrieved even if it is not used, because the checkpointer counts uses.
        let x = x.map(|id| retrieve::<B>(checkpointer, id));
        let weight = weight.map(|id| retrieve::<B>(checkpointer, id));

        if let (Some(node), Some(weight)) = (x_node, weight) {
            let output_gradient = output_gradient.clone();
            // The gradient accumulated for the input so far, which Burn looks up by a tensor of the input's node. In a residual
            // block this is the shortcut's gradient; the kernel adds to it in the same pass.
            let mut input = <Autodiff<B> as AutodiffBackend>::from_inner(output_gradient.clone());
            input.node = node.clone();
            let gradient = match grads.remove(&input) {
                Some(sum) => B::conv2d_input_gradient_onto(weight, output_gradient, geometry, sum),
                None => B::conv2d_input_gradient(weight, output_gradient, geometry, x_shape),
            };
            grads.register::<B>(node.id, gradient);
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            let gradient = B::conv2d_weight_gradient(x, output_gradient, geometry, weight_shape);
            grads.register::<B>(node.id, gradient);
        }
    }
}

fn retrieve<B: Backend>(checkpointer: &mut Checkpointer, id: NodeId) -> FloatTensor<B> {
    checkpointer.retrieve_node_output::<FloatTensor<B>>(id)
}
