//! Batch norm under autodiff: one node for y, whose gradients the inner backend computes. The statistics are constants.

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::ops::FloatTensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId, grads};

use super::{
    Affine, Epilogue, NormGradients, NormOps, NormPeers, NormSaved, Normalized, Statistics, SyncedNormalized,
    reference, synced,
};

impl<B: NormOps, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> Normalized<Self> {
        let forward = |x, affine, epilogue| B::batch_norm_forward(x, affine, epsilon, epilogue);
        let (y, statistics) = recorded(BatchStatistics, x, affine, epsilon, epilogue, forward);
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
    /// Always: second derivatives are not supported, as in Burn's own module ops.
    fn batch_norm_backward(_: NormSaved<Self>, _: FloatTensor<Self>, _: bool) -> NormGradients<Self> {
        panic!("Can't differentiate batch_norm_backward.");
    }

    /// y is bitwise the result of the inner backend's operation. The gradients are computed with tensor ops; training does not
    /// use them.
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
        recorded(GivenStatistics, x, affine, epsilon, epilogue, forward).0
    }

    fn batch_norm_synced_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
        peers: &Arc<dyn NormPeers>,
    ) -> SyncedNormalized<Self> {
        let mut count = 0.0;
        let forward = |x, affine, epilogue| {
            let synced = B::batch_norm_synced_forward(x, affine, epsilon, epilogue, peers);
            count = synced.count;
            synced.normalized
        };
        let rule = SyncedStatistics(Arc::clone(peers));
        let (y, statistics) = recorded(rule, x, affine, epsilon, epilogue, forward);
        let constant = <Self as AutodiffBackend>::from_inner;
        SyncedNormalized {
            normalized: Normalized {
                y,
                statistics: Statistics {
                    mean: constant(statistics.mean),
                    variance: constant(statistics.variance),
                },
            },
            count,
        }
    }
}

/// The rule that computes the gradients.
trait NormRule: Debug + Send + Sized + 'static {
    fn gradients<B: NormOps>(
        self,
        saved: NormSaved<B>,
        output_gradient: FloatTensor<B>,
        wants_residual: bool,
    ) -> NormGradients<B>;
}

/// Mean and variance depend on x.
#[derive(Debug)]
struct BatchStatistics;

impl NormRule for BatchStatistics {
    fn gradients<B: NormOps>(
        self,
        saved: NormSaved<B>,
        output_gradient: FloatTensor<B>,
        wants_residual: bool,
    ) -> NormGradients<B> {
        B::batch_norm_backward(saved, output_gradient, wants_residual)
    }
}

/// Mean and variance are constants.
#[derive(Debug)]
struct GivenStatistics;

impl NormRule for GivenStatistics {
    fn gradients<B: NormOps>(self, saved: NormSaved<B>, output_gradient: FloatTensor<B>, _: bool) -> NormGradients<B> {
        reference::eval_backward(saved, output_gradient)
    }
}

/// Mean and variance depend on the x of all ranks.
#[derive(Debug)]
struct SyncedStatistics(Arc<dyn NormPeers>);

impl NormRule for SyncedStatistics {
    fn gradients<B: NormOps>(
        self,
        saved: NormSaved<B>,
        output_gradient: FloatTensor<B>,
        wants_residual: bool,
    ) -> NormGradients<B> {
        // The gradients of weight and bias stay this rank's share.
        let (output_gradient, sums) = B::batch_norm_gradient_sums(&saved, output_gradient);
        let means = synced::whole_means::<B>(&saved.x, &sums, &self.0);
        let (x, residual) = B::batch_norm_input_gradient(saved, output_gradient, means, wants_residual);
        let [bias, weight] = sums;
        NormGradients {
            x,
            weight,
            bias,
            residual,
        }
    }
}

/// Returns y, as a node with the parents x, weight, bias and the residual (if there is one), and the statistics.
fn recorded<B: NormOps, C: CheckpointStrategy>(
    rule: impl NormRule,
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
            let node = NormNode(rule).prepare::<C>([a, b, c, residual.node]);
            let epilogue = Epilogue::AddRelu(residual.primitive);
            computed(node.compute_bound().stateful(), x, affine, epsilon, epilogue, forward)
        }
        Epilogue::Nothing | Epilogue::Relu => {
            let node = NormNode(rule).prepare::<C>(parents);
            let epilogue = epilogue.map(|residual| residual.primitive);
            computed(node.compute_bound().stateful(), x, affine, epsilon, epilogue, forward)
        }
    }
}

/// Computes y and, if any operand is tracked, saves what the gradients need.
fn computed<B: NormOps, C: CheckpointStrategy, R: NormRule, const N: usize>(
    kind: OpsKind<NormNode<R>, B, NormState<B>, C, N>,
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
            let state = NormState {
                x: x_id,
                affine,
                statistics: out.statistics.clone(),
                epsilon,
                // The next operation also saves y, so this takes no additional memory.
                epilogue: kind.map(|()| out.y.clone()),
            };
            (prep.finish(state, out.y), out.statistics)
        }
        OpsKind::UnTracked(prep) => {
            let out = forward(x.primitive, affine, epilogue);
            (prep.finish(out.y), out.statistics)
        }
    }
}

#[derive(Debug)]
struct NormNode<R>(R);

/// State of the node. The checkpointer holds x under the id of its node; the rest is vectors, and y if a residual was added.
#[derive(Clone, Debug)]
struct NormState<B: NormOps> {
    x: NodeId,
    affine: Affine<B>,
    statistics: Statistics<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
}

impl<B: NormOps, R: NormRule, const N: usize> Backward<B, N> for NormNode<R> {
    type State = NormState<B>;

    fn backward(self, ops: Ops<NormState<B>, N>, grads: &mut grads::Gradients, checkpointer: &mut Checkpointer) {
        let NormState {
            x,
            affine,
            statistics,
            epsilon,
            epilogue,
        } = ops.state;
        let saved = NormSaved {
            x: checkpointer.retrieve_node_output::<FloatTensor<B>>(x),
            affine,
            statistics,
            epsilon,
            epilogue,
        };
        let output_gradient = grads.consume::<B>(&ops.node);
        let wants_residual = ops.parents.get(3).is_some_and(Option::is_some);
        let gradients = self.0.gradients(saved, output_gradient, wants_residual);
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
