//! Pooling under autodiff: max pooling saves the positions of the maxima, mean pooling nothing; the input is never saved.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

use super::{MaxPooled, PoolOps, Window};

impl<B: PoolOps, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn max_pool2d_forward(x: FloatTensor<Self>, window: Window) -> MaxPooled<Self> {
        let kind = MaxPoolNode.prepare::<C>([x.node.clone()]).compute_bound().stateful();
        let input_shape = x.shape();
        let MaxPooled { y, places } = B::max_pool2d_forward(x.primitive, window);
        let y = match kind {
            OpsKind::Tracked(prep) => {
                let state = MaxPoolState::<B> {
                    places: places.clone(),
                    window,
                    input_shape,
                };
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        };
        let places = <Self as AutodiffBackend>::int_from_inner(places);
        MaxPooled { y, places }
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn.
    fn max_pool2d_backward(_: FloatTensor<Self>, _: IntTensor<Self>, _: Window, _: Shape) -> FloatTensor<Self> {
        panic!("Can't differentiate max_pool2d_backward.");
    }

    fn mean_pool2d_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let kind = MeanPoolNode.prepare::<C>([x.node.clone()]).compute_bound().stateful();
        let input_shape = x.shape();
        let y = B::mean_pool2d_forward(x.primitive);
        match kind {
            OpsKind::Tracked(prep) => prep.finish(input_shape, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    /// # Panics
    /// Always: second derivatives are not supported, as in Burn.
    fn mean_pool2d_backward(_: FloatTensor<Self>, _: Shape) -> FloatTensor<Self> {
        panic!("Can't differentiate mean_pool2d_backward.");
    }
}

#[derive(Debug)]
struct MaxPoolNode;

#[derive(Clone, Debug)]
struct MaxPoolState<B: PoolOps> {
    places: IntTensor<B>,
    window: Window,
    input_shape: Shape,
}

impl<B: PoolOps> Backward<B, 1> for MaxPoolNode {
    type State = MaxPoolState<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let MaxPoolState {
            places,
            window,
            input_shape,
        } = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::max_pool2d_backward(gradient, places, window, input_shape)
        });
    }
}

#[derive(Debug)]
struct MeanPoolNode;

impl<B: PoolOps> Backward<B, 1> for MeanPoolNode {
    type State = Shape;

    fn backward(self, ops: Ops<Shape, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::mean_pool2d_backward(gradient, ops.state)
        });
    }
}
