//! Batch norm under autodiff: one node for y, whose gradients are the inner backend's; the statistics come as constants.

use std::fmt::Debug;

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::ops::FloatTensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId, grads};

use super::{Affine, Epilogue, Gradients, NormOps, Normalized, Saved, Statistics, reference};

impl<B: NormOps, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> Normalized<Self> {
        let forward = |x, affine, epilogue| B::batch_norm_forward(x, affine, epsilon, epilogue);
        let (y, statistics) = recorded(ByOwnStatistics, x, affine, epsilon, epilogue, forward);
        let constant = <Self as AutodiffBackend>::from_inner;
        Normalized {
            y,
            statistics: Statistics {
                mean: constant(statistics.mean),
                variance: constant(statistics.variance),
            },
        }
    }

    /// # Panics
    /// Always: second derivatives are not offered, as in Burn's own module ops.
    fn batch_norm_backward(_: Saved<Self>, _: FloatTensor<Self>, _: bool) -> Gradients<Self> {
        panic!("Can't differentiate batch_norm_backward.");
    }

    /// The inner backend's operation, so that y has its bytes; the gradients, which training does not ask for, are tensor ops.
    fn batch_norm_eval(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let statistics = Statistics {
            mean: statistics.mean.primitive,
            variance: statistics.variance.primitive,
        };
        let forward = |x, affine, epilogue| Normalized {
            y: B::batch_norm_eval(x, affine, statistics.clone(), epsilon, epilogue),
            statistics,
        };
        recorded(ByGivenStatistics, x, affine, epsilon, epilogue, forward).0
    }
}

/// By which rule the gradients go back.
trait Rule: Debug + Send + 'static {
    fn gradients<B: NormOps>(saved: Saved<B>, output_gradient: FloatTensor<B>, wants_residual: bool) -> Gradients<B>;
}

/// Mean and variance are functions of x.
#[derive(Debug)]
struct ByOwnStatistics;

impl Rule for ByOwnStatistics {
    fn gradients<B: NormOps>(saved: Saved<B>, output_gradient: FloatTensor<B>, wants_residual: bool) -> Gradients<B> {
        B::batch_norm_backward(saved, output_gradient, wants_residual)
    }
}

/// They are constants.
#[derive(Debug)]
struct ByGivenStatistics;

impl Rule for ByGivenStatistics {
    fn gradients<B: NormOps>(saved: Saved<B>, output_gradient: FloatTensor<B>, _: bool) -> Gradients<B> {
        reference::eval_backward(saved, output_gradient)
    }
}

/// y as a node with the parents x, weight, bias and, where one comes in, the residual; and the statistics.
fn recorded<B: NormOps, C: CheckpointStrategy>(
    rule: impl Rule,
    x: FloatTensor<Autodiff<B, C>>,
    affine: Affine<Autodiff<B, C>>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<Autodiff<B, C>>>,
    forward: impl FnOnce(FloatTensor<B>, Affine<B>, Epilogue<FloatTensor<B>>) -> Normalized<B>,
) -> (FloatTensor<Autodiff<B, C>>, Statistics<B>) {
    let Affine { weight, bias } = affine;
    let parents = [x.node.clone(), weight.node, bias.node];
    let affine = Affine {
        weight: weight.primitive,
        bias: bias.primitive,
    };
    match epilogue {
        Epilogue::AddRelu(residual) => {
            let [a, b, c] = parents;
            let node = Node(rule).prepare::<C>([a, b, c, residual.node]);
            let epilogue = Epilogue::AddRelu(residual.primitive);
            computed(node.compute_bound().stateful(), x, affine, epsilon, epilogue, forward)
        }
        Epilogue::Nothing | Epilogue::Relu => {
            let node = Node(rule).prepare::<C>(parents);
            let epilogue = epilogue.map(|residual| residual.primitive);
            computed(node.compute_bound().stateful(), x, affine, epsilon, epilogue, forward)
        }
    }
}

/// Computes and, if something is tracked, keeps what the gradients need.
fn computed<B: NormOps, C: CheckpointStrategy, R: Rule, const N: usize>(
    kind: OpsKind<Node<R>, B, Kept<B>, C, N>,
    x: FloatTensor<Autodiff<B, C>>,
    affine: Affine<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
    forward: impl FnOnce(FloatTensor<B>, Affine<B>, Epilogue<FloatTensor<B>>) -> Normalized<B>,
) -> (FloatTensor<Autodiff<B, C>>, Statistics<B>) {
    match kind {
        OpsKind::Tracked(mut prep) => {
            let x_id = prep.checkpoint(&x);
            let kind = epilogue.as_ref().map(|_| ());
            let out = forward(x.primitive, affine.clone(), epilogue);
            let kept = Kept {
                x: x_id,
                affine,
                statistics: out.statistics.clone(),
                epsilon,
                // The next operation keeps y too: it costs no memory of its own.
                epilogue: kind.map(|()| out.y.clone()),
            };
            (prep.finish(kept, out.y), out.statistics)
        }
        OpsKind::UnTracked(prep) => {
            let out = forward(x.primitive, affine, epilogue);
            (prep.finish(out.y), out.statistics)
        }
    }
}

#[derive(Debug)]
struct Node<R>(R);

/// The large operand lies in the checkpointer under its node's id; the rest is vectors, and y where a residual was added.
#[derive(Clone, Debug)]
struct Kept<B: NormOps> {
    x: NodeId,
    affine: Affine<B>,
    statistics: Statistics<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
}

impl<B: NormOps, R: Rule, const N: usize> Backward<B, N> for Node<R> {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, N>, grads: &mut grads::Gradients, checkpointer: &mut Checkpointer) {
        let Kept {
            x,
            affine,
            statistics,
            epsilon,
            epilogue,
        } = ops.state;
        let saved = Saved {
            x: checkpointer.retrieve_node_output::<FloatTensor<B>>(x),
            affine,
            statistics,
            epsilon,
            epilogue,
        };
        let output_gradient = grads.consume::<B>(&ops.node);
        let wants_residual = ops.parents.get(3).is_some_and(Option::is_some);
        let gradients = R::gradients(saved, output_gradient, wants_residual);
        let of_parents = [
            Some(gradients.x),
            Some(gradients.weight),
            Some(gradients.bias),
            gradients.residual,
        ];
        for (node, gradient) in ops.parents.into_iter().zip(of_parents) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
