//! Layer norm, GELU and softmax under autodiff: one node each, whose gradients the inner backend computes.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::ops::FloatTensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};

use super::{LayerNormGradients, LayerNormSaved, LayerNormed, TransformerOps};

impl<B: TransformerOps, C: CheckpointStrategy> TransformerOps for Autodiff<B, C> {
    fn layer_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> LayerNormed<Self> {
        let parents = [x.node.clone(), weight.node, bias.node];
        let (weight, bias) = (weight.primitive, bias.primitive);
        let constant = <Self as AutodiffBackend>::from_inner;
        let (y, mean, inverse_std) = match LayerNormNode.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let x_id = prep.checkpoint(&x);
                let out = B::layer_norm_forward(x.primitive, weight.clone(), bias, epsilon);
                let state = LayerNormState {
                    x: x_id,
                    weight,
                    mean: out.mean.clone(),
                    inverse_std: out.inverse_std.clone(),
                };
                (prep.finish(state, out.y), out.mean, out.inverse_std)
            }
            OpsKind::UnTracked(prep) => {
                let out = B::layer_norm_forward(x.primitive, weight, bias, epsilon);
                (prep.finish(out.y), out.mean, out.inverse_std)
            }
        };
        LayerNormed {
            y,
            mean: constant(mean),
            inverse_std: constant(inverse_std),
        }
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn's own module ops.
    fn layer_norm_backward(_: LayerNormSaved<Self>, _: FloatTensor<Self>) -> LayerNormGradients<Self> {
        panic!("Can't differentiate layer_norm_backward.");
    }

    fn gelu_exact(x: FloatTensor<Self>) -> FloatTensor<Self> {
        match GeluNode.prepare::<C>([x.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = prep.checkpoint(&x);
                prep.finish(state, B::gelu_exact(x.primitive))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::gelu_exact(x.primitive)),
        }
    }

    /// # Panics
    /// Always: second derivatives are not supported.
    fn gelu_exact_backward(_: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        panic!("Can't differentiate gelu_backward.");
    }

    fn softmax_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        match SoftmaxNode.prepare::<C>([x.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let y = B::softmax_forward(x.primitive);
                // The next operation also saves y, so this takes no additional memory.
                prep.finish(y.clone(), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::softmax_forward(x.primitive)),
        }
    }

    /// # Panics
    /// Always: second derivatives are not supported.
    fn softmax_backward(_: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        panic!("Can't differentiate softmax_backward.");
    }
}

#[derive(Debug)]
struct LayerNormNode;

/// State of the node. The checkpointer holds x under the id of its node.
#[derive(Clone, Debug)]
struct LayerNormState<B: TransformerOps> {
    x: NodeId,
    weight: FloatTensor<B>,
    mean: FloatTensor<B>,
    inverse_std: FloatTensor<B>,
}

impl<B: TransformerOps> Backward<B, 3> for LayerNormNode {
    type State = LayerNormState<B>;

    fn backward(self, ops: Ops<LayerNormState<B>, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let LayerNormState {
            x,
            weight,
            mean,
            inverse_std,
        } = ops.state;
        let saved = LayerNormSaved {
            x: checkpointer.retrieve_node_output::<FloatTensor<B>>(x),
            weight,
            mean,
            inverse_std,
        };
        let gradients = B::layer_norm_backward(saved, grads.consume::<B>(&ops.node));
        let of_parents = [gradients.x, gradients.weight, gradients.bias];
        for (node, gradient) in ops.parents.into_iter().zip(of_parents) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct GeluNode;

impl<B: TransformerOps> Backward<B, 1> for GeluNode {
    type State = NodeId;

    fn backward(self, ops: Ops<NodeId, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(ops.state);
        let output_gradient = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::gelu_exact_backward(x, output_gradient));
        }
    }
}

#[derive(Debug)]
struct SoftmaxNode;

impl<B: TransformerOps> Backward<B, 1> for SoftmaxNode {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<FloatTensor<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let output_gradient = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::softmax_backward(ops.state, output_gradient));
        }
    }
}
