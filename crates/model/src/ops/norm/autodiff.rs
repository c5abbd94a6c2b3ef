//! Batch norm under autodiff: one node for y, whose gradients are the inner backend's; the statistics come as constants.

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
        let (weight, bias) = (affine.weight, affine.bias);
        let nodes = [x.node.clone(), weight.node.clone(), bias.node.clone()];
        let affine = Affine {
            weight: weight.primitive,
            bias: bias.primitive,
        };
        // One node more where a residual comes in.
        match epilogue {
            Epilogue::AddRelu(residual) => {
                let [a, b, c] = nodes;
                let kind = BatchNorm
                    .prepare::<C>([a, b, c, residual.node])
                    .compute_bound()
                    .stateful();
                record(kind, x, affine, epsilon, Epilogue::AddRelu(residual.primitive))
            }
            Epilogue::Nothing | Epilogue::Relu => {
                let kind = BatchNorm.prepare::<C>(nodes).compute_bound().stateful();
                record(kind, x, affine, epsilon, epilogue.map(|residual| residual.primitive))
            }
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
        let (weight, bias) = (affine.weight, affine.bias);
        let nodes = [x.node.clone(), weight.node.clone(), bias.node.clone()];
        let affine = Affine {
            weight: weight.primitive,
            bias: bias.primitive,
        };
        match epilogue {
            Epilogue::AddRelu(residual) => {
                let [a, b, c] = nodes;
                let kind = GivenNorm
                    .prepare::<C>([a, b, c, residual.node])
                    .compute_bound()
                    .stateful();
                record_given(
                    kind,
                    x,
                    affine,
                    statistics,
                    epsilon,
                    Epilogue::AddRelu(residual.primitive),
                )
            }
            Epilogue::Nothing | Epilogue::Relu => {
                let kind = GivenNorm.prepare::<C>(nodes).compute_bound().stateful();
                record_given(
                    kind,
                    x,
                    affine,
                    statistics,
                    epsilon,
                    epilogue.map(|residual| residual.primitive),
                )
            }
        }
    }
}

/// Computes and, if something is tracked, keeps what the gradients need.
fn record<B: NormOps, C: CheckpointStrategy, const N: usize>(
    kind: OpsKind<BatchNorm, B, Kept<B>, C, N>,
    x: FloatTensor<Autodiff<B, C>>,
    affine: Affine<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
) -> Normalized<Autodiff<B, C>>
where
    BatchNorm: Backward<B, N, State = Kept<B>>,
{
    let (y, statistics) = match kind {
        OpsKind::Tracked(mut prep) => {
            let x_id = prep.checkpoint(&x);
            let kind = epilogue.as_ref().map(|_| ());
            let out = B::batch_norm_forward(x.primitive, affine.clone(), epsilon, epilogue);
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
            let out = B::batch_norm_forward(x.primitive, affine, epsilon, epilogue);
            (prep.finish(out.y), out.statistics)
        }
    };
    let constant = <Autodiff<B, C> as AutodiffBackend>::from_inner;
    Normalized {
        y,
        statistics: Statistics {
            mean: constant(statistics.mean),
            variance: constant(statistics.variance),
        },
    }
}

#[derive(Debug)]
struct BatchNorm;

/// The large operand lies in the checkpointer under its node's id; the rest is vectors, and y where a residual was added.
#[derive(Clone, Debug)]
struct Kept<B: NormOps> {
    x: NodeId,
    affine: Affine<B>,
    statistics: Statistics<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
}

impl<B: NormOps> Backward<B, 3> for BatchNorm {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut grads::Gradients, checkpointer: &mut Checkpointer) {
        backward(ops, grads, checkpointer, |saved, gradient| {
            B::batch_norm_backward(saved, gradient, false)
        });
    }
}

impl<B: NormOps> Backward<B, 4> for BatchNorm {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut grads::Gradients, checkpointer: &mut Checkpointer) {
        let wants_residual = ops.parents[3].is_some();
        backward(ops, grads, checkpointer, |saved, gradient| {
            B::batch_norm_backward(saved, gradient, wants_residual)
        });
    }
}

fn backward<B: NormOps, const N: usize>(
    ops: Ops<Kept<B>, N>,
    grads: &mut grads::Gradients,
    checkpointer: &mut Checkpointer,
    gradients: impl FnOnce(Saved<B>, FloatTensor<B>) -> Gradients<B>,
) {
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
    let gradients = gradients(saved, output_gradient);
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

/// As [`record`], by given statistics.
fn record_given<B: NormOps, C: CheckpointStrategy, const N: usize>(
    kind: OpsKind<GivenNorm, B, Kept<B>, C, N>,
    x: FloatTensor<Autodiff<B, C>>,
    affine: Affine<B>,
    statistics: Statistics<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
) -> FloatTensor<Autodiff<B, C>>
where
    GivenNorm: Backward<B, N, State = Kept<B>>,
{
    match kind {
        OpsKind::Tracked(mut prep) => {
            let x_id = prep.checkpoint(&x);
            let kind = epilogue.as_ref().map(|_| ());
            let y = B::batch_norm_eval(x.primitive, affine.clone(), statistics.clone(), epsilon, epilogue);
            let kept = Kept {
                x: x_id,
                affine,
                statistics,
                epsilon,
                epilogue: kind.map(|()| y.clone()),
            };
            prep.finish(kept, y)
        }
        OpsKind::UnTracked(prep) => {
            let y = B::batch_norm_eval(x.primitive, affine, statistics, epsilon, epilogue);
            prep.finish(y)
        }
    }
}

/// Batch norm by given statistics.
#[derive(Debug)]
struct GivenNorm;

impl<B: NormOps> Backward<B, 3> for GivenNorm {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut grads::Gradients, checkpointer: &mut Checkpointer) {
        backward(ops, grads, checkpointer, reference::eval_backward);
    }
}

impl<B: NormOps> Backward<B, 4> for GivenNorm {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut grads::Gradients, checkpointer: &mut Checkpointer) {
        backward(ops, grads, checkpointer, reference::eval_backward);
    }
}
