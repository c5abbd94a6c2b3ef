//! Batch norm under autodiff: one node for y, whose gradients are the inner backend's; the statistics come as constants.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::ops::FloatTensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};

use super::{Gradients, NormOps, Normalized, Saved};

impl<B: NormOps, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> Normalized<Self> {
        let nodes = [x.node.clone(), weight.node.clone(), bias.node.clone()];
        let constant = <Self as AutodiffBackend>::from_inner;
        match BatchNorm.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let (x_id, weight_id) = (prep.checkpoint(&x), prep.checkpoint(&weight));
                let out = B::batch_norm_forward(x.primitive, weight.primitive, bias.primitive, epsilon);
                let kept = Kept {
                    x: x_id,
                    weight: weight_id,
                    mean: out.mean.clone(),
                    variance: out.variance.clone(),
                    epsilon,
                };
                let y = prep.finish(kept, out.y);
                Normalized {
                    y,
                    mean: constant(out.mean),
                    variance: constant(out.variance),
                }
            }
            OpsKind::UnTracked(prep) => {
                let out = B::batch_norm_forward(x.primitive, weight.primitive, bias.primitive, epsilon);
                let y = prep.finish(out.y);
                Normalized {
                    y,
                    mean: constant(out.mean),
                    variance: constant(out.variance),
                }
            }
        }
    }

    /// # Panics
    /// Always: second derivatives are not offered, as in Burn's own module ops.
    fn batch_norm_backward(_saved: Saved<Self>, _output_gradient: FloatTensor<Self>) -> Gradients<Self> {
        panic!("Can't differentiate batch_norm_backward.");
    }
}

#[derive(Debug)]
struct BatchNorm;

/// The large operand and the weight lie in the checkpointer, the statistics (two numbers a channel) here.
#[derive(Clone, Debug)]
struct Kept<T> {
    x: NodeId,
    weight: NodeId,
    mean: T,
    variance: T,
    epsilon: f64,
}

impl<B: NormOps> Backward<B, 3> for BatchNorm {
    type State = Kept<FloatTensor<B>>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut burn_autodiff::grads::Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [x_node, weight_node, bias_node] = ops.parents;
        let Kept {
            x,
            weight,
            mean,
            variance,
            epsilon,
        } = ops.state;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(weight);
        let output_gradient = grads.consume::<B>(&ops.node);
        let saved = Saved {
            x,
            weight,
            mean,
            variance,
            epsilon,
        };
        let gradients = B::batch_norm_backward(saved, output_gradient);
        let pairs = [
            (x_node, gradients.x),
            (weight_node, gradients.weight),
            (bias_node, gradients.bias),
        ];
        for (node, gradient) in pairs {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
