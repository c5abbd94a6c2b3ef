//! Batch norm and its gradients in tensor ops: the default implementation of [`NormOps`](super::NormOps), the fallback of
//! backends that override it for f32 only, and the reference of the tests.

use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorMetadata};

use super::tensors::{of_rank_3, of_shape, unwrap, wrap};
use super::{Affine, Epilogue, NormGradients, NormSaved, Normalized, Statistics};

/// [`NormOps::batch_norm_forward`](super::NormOps::batch_norm_forward) in tensor ops. Two passes, so that the variance
/// remains accurate if the mean is large.
pub fn forward<B: Backend>(
    x: FloatTensor<B>,
    affine: Affine<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
) -> Normalized<B> {
    let shape = x.shape();
    let x = wrap::<B, 3>(of_rank_3::<B>(x));
    let epilogue = epilogue.map(of_rank_3::<B>);
    let [n, _, s] = x.dims();
    let count = (n * s) as f64;
    let mean = channel_sum(x.clone()).div_scalar(count);
    let centred = x - spread(mean.clone(), n);
    let variance = channel_sum(centred.clone().powi_scalar(2)).div_scalar(count);
    let scale = inverse_std(variance.clone(), epsilon) * wrap(affine.weight);
    let y = apply(centred * spread(scale, n) + spread(wrap(affine.bias), n), epilogue);
    Normalized {
        y: of_shape::<B>(unwrap(y), &shape),
        statistics: Statistics {
            mean: unwrap(mean),
            variance: unwrap(variance),
        },
    }
}

/// [`NormOps::batch_norm_statistics`](super::NormOps::batch_norm_statistics) in tensor ops.
pub fn statistics<B: Backend>(x: FloatTensor<B>) -> Statistics<B> {
    let x = wrap::<B, 3>(of_rank_3::<B>(x));
    let [n, _, s] = x.dims();
    let count = (n * s) as f64;
    let mean = channel_sum(x.clone()).div_scalar(count);
    let centred = x - spread(mean.clone(), n);
    let variance = channel_sum(centred.powi_scalar(2)).div_scalar(count);
    Statistics {
        mean: unwrap(mean),
        variance: unwrap(variance),
    }
}

/// [`NormOps::batch_norm_with`](super::NormOps::batch_norm_with) in tensor ops.
pub fn with<B: Backend>(
    x: FloatTensor<B>,
    affine: Affine<B>,
    statistics: Statistics<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
) -> FloatTensor<B> {
    let shape = x.shape();
    let x = wrap::<B, 3>(of_rank_3::<B>(x));
    let epilogue = epilogue.map(of_rank_3::<B>);
    let [n, _, _] = x.dims();
    let centred = x - spread(wrap(statistics.mean), n);
    let scale = inverse_std(wrap::<B, 1>(statistics.variance), epsilon) * wrap(affine.weight);
    let y = apply(centred * spread(scale, n) + spread(wrap(affine.bias), n), epilogue);
    of_shape::<B>(unwrap(y), &shape)
}

/// [`NormOps::batch_norm_backward`](super::NormOps::batch_norm_backward) in tensor ops.
///
/// With x̂ = (x − mean)/σ and dy masked by the ReLU: db = Σdy, dw = Σdy·x̂, dx = weight/σ · (dy − db/count − x̂·dw/count).
pub fn backward<B: Backend>(
    saved: NormSaved<B>,
    output_gradient: FloatTensor<B>,
    wants_residual: bool,
) -> NormGradients<B> {
    let masked = Masked::<B>::new(saved, output_gradient);
    let [n, _, s] = masked.dy.dims();
    let count = (n * s) as f64;
    let [bias, weight] = masked.sums();
    let means = [&bias, &weight].map(|sum| sum.clone().div_scalar(count));
    let (x, residual) = masked.input_gradient(means, wants_residual);
    NormGradients {
        x,
        weight: unwrap(weight),
        bias: unwrap(bias),
        residual,
    }
}

/// [`NormOps::batch_norm_gradient_sums`](super::NormOps::batch_norm_gradient_sums) in tensor ops.
pub fn gradient_sums<B: Backend>(
    saved: &NormSaved<B>,
    output_gradient: FloatTensor<B>,
) -> (FloatTensor<B>, [FloatTensor<B>; 2]) {
    let saved = NormSaved {
        x: saved.x.clone(),
        affine: saved.affine.clone(),
        statistics: saved.statistics.clone(),
        epsilon: saved.epsilon,
        epilogue: saved.epilogue.clone(),
    };
    let masked = Masked::<B>::new(saved, output_gradient);
    let sums = masked.sums().map(unwrap);
    (of_shape::<B>(unwrap(masked.dy), &masked.shape), sums)
}

/// [`NormOps::batch_norm_input_gradient`](super::NormOps::batch_norm_input_gradient) in tensor ops.
pub fn input_gradient<B: Backend>(
    saved: NormSaved<B>,
    output_gradient: FloatTensor<B>,
    means: [FloatTensor<B>; 2],
    wants_residual: bool,
) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
    Masked::<B>::new(saved, output_gradient).input_gradient(means.map(wrap), wants_residual)
}

/// The gradient before the ReLU, with what else the gradients are computed from.
struct Masked<B: Backend> {
    /// Of the operands: [N, C, …]. The tensors here are [N, C, S].
    shape: Shape,
    dy: Tensor<B, 3>,
    /// x̂
    normal: Tensor<B, 3>,
    /// weight/σ
    scale: Tensor<B, 1>,
    has_residual: bool,
}

impl<B: Backend> Masked<B> {
    fn new(saved: NormSaved<B>, output_gradient: FloatTensor<B>) -> Self {
        let NormSaved {
            x,
            affine,
            statistics,
            epsilon,
            epilogue,
        } = saved;
        let shape = x.shape();
        let [x, dy] = [x, output_gradient].map(|tensor| wrap::<B, 3>(of_rank_3::<B>(tensor)));
        let epilogue = epilogue.map(of_rank_3::<B>);
        let [n, _, _] = x.dims();
        let inverse_std = inverse_std(wrap::<B, 1>(statistics.variance), epsilon);
        let centred = x - spread(wrap(statistics.mean), n);
        let scale = inverse_std.clone() * wrap(affine.weight);
        let (has_residual, output) = match epilogue {
            Epilogue::Nothing => (false, None),
            // Computed as in the forward pass.
            Epilogue::Relu => {
                let y = centred.clone() * spread(scale.clone(), n) + spread(wrap(affine.bias), n);
                (false, Some(y))
            }
            Epilogue::AddRelu(y) => (true, Some(wrap(y))),
        };
        let dy = match output {
            Some(output) => dy.mask_fill(output.lower_equal_elem(0.0), 0.0),
            None => dy,
        };
        Self {
            shape,
            dy,
            normal: centred * spread(inverse_std, n),
            scale,
            has_residual,
        }
    }

    /// Σdy and Σdy·x̂.
    fn sums(&self) -> [Tensor<B, 1>; 2] {
        [
            channel_sum(self.dy.clone()),
            channel_sum(self.dy.clone() * self.normal.clone()),
        ]
    }

    fn input_gradient(
        self,
        means: [Tensor<B, 1>; 2],
        wants_residual: bool,
    ) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
        let Self {
            shape,
            dy,
            normal,
            scale,
            has_residual,
        } = self;
        let [n, _, _] = dy.dims();
        let residual = (has_residual && wants_residual).then(|| of_shape::<B>(unwrap(dy.clone()), &shape));
        let [through_mean, through_variance] = means.map(|mean| scale.clone() * mean);
        let x = dy * spread(scale, n) - spread(through_mean, n) - normal * spread(through_variance, n);
        (of_shape::<B>(unwrap(x), &shape), residual)
    }
}

/// [`NormOps::batch_norm_eval`](super::NormOps::batch_norm_eval) in tensor ops: one factor and one summand per channel.
pub fn eval<B: Backend>(
    x: FloatTensor<B>,
    affine: Affine<B>,
    statistics: Statistics<B>,
    epsilon: f64,
    epilogue: Epilogue<FloatTensor<B>>,
) -> FloatTensor<B> {
    let shape = x.shape();
    let x = wrap::<B, 3>(of_rank_3::<B>(x));
    let epilogue = epilogue.map(of_rank_3::<B>);
    let [n, _, _] = x.dims();
    let scale = inverse_std(wrap::<B, 1>(statistics.variance), epsilon) * wrap(affine.weight);
    let shift = wrap::<B, 1>(affine.bias) - wrap::<B, 1>(statistics.mean) * scale.clone();
    of_shape::<B>(unwrap(apply(x * spread(scale, n) + spread(shift, n), epilogue)), &shape)
}

/// The gradients of [`eval`] with respect to all operands except the statistics.
pub(super) fn eval_backward<B: Backend>(saved: NormSaved<B>, output_gradient: FloatTensor<B>) -> NormGradients<B> {
    let shape = saved.x.shape();
    let [x, dy] = [saved.x, output_gradient].map(|tensor| wrap::<B, 3>(of_rank_3::<B>(tensor)));
    let epilogue = saved.epilogue.map(of_rank_3::<B>);
    let [n, _, _] = x.dims();
    let inverse_std = inverse_std(wrap::<B, 1>(saved.statistics.variance), saved.epsilon);
    let normal = (x - spread(wrap(saved.statistics.mean), n)) * spread(inverse_std.clone(), n);
    let weight = wrap::<B, 1>(saved.affine.weight);
    let output = match &epilogue {
        Epilogue::Nothing => None,
        Epilogue::Relu => {
            let (weight, bias) = (spread(weight.clone(), n), spread(wrap(saved.affine.bias), n));
            Some(normal.clone() * weight + bias)
        }
        Epilogue::AddRelu(y) => Some(wrap(y.clone())),
    };
    let dy = match output {
        Some(output) => dy.mask_fill(output.lower_equal_elem(0.0), 0.0),
        None => dy,
    };
    NormGradients {
        residual: epilogue.residual().map(|_| of_shape::<B>(unwrap(dy.clone()), &shape)),
        weight: unwrap(channel_sum(dy.clone() * normal)),
        bias: unwrap(channel_sum(dy.clone())),
        x: of_shape::<B>(unwrap(dy * spread(inverse_std * weight, n)), &shape),
    }
}

fn apply<B: Backend>(normal: Tensor<B, 3>, epilogue: Epilogue<FloatTensor<B>>) -> Tensor<B, 3> {
    match epilogue {
        Epilogue::Nothing => normal,
        Epilogue::Relu => relu(normal),
        Epilogue::AddRelu(residual) => relu(normal + wrap(residual)),
    }
}

fn inverse_std<B: Backend>(variance: Tensor<B, 1>, epsilon: f64) -> Tensor<B, 1> {
    variance.add_scalar(epsilon).sqrt().recip()
}

/// Σ over images and pixels, the last axis first: on the CPU backend the order of both sums depends on the shape alone.
fn channel_sum<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 1> {
    let [n, c, s] = x.dims();
    let per_image = if s == 1 { x } else { x.sum_dim(2) };
    per_image.reshape([n, c]).sum_dim(0).reshape([c])
}

/// One value per channel, repeated for each image, because Burn's CPU backend has a fast loop for [N, C, 1] but not for
/// [1, C, 1].
fn spread<B: Backend>(values: Tensor<B, 1>, n: usize) -> Tensor<B, 3> {
    let [c] = values.dims();
    values.reshape([1, c]).repeat_dim(0, n).reshape([n, c, 1])
}
