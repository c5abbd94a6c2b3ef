//! Batch norm on the CPU backend: each task takes a few channels of all images and passes over them twice, once for the sums
//! and once for the result, which finds in the cache what fits.
//!
//! Outputs are written over operands that nobody else holds: x, the residual, the gradient of y. Sums have an order that
//! depends on the shape alone: the same bytes for any number of threads. Other element types than f32 take
//! [`reference`](super::reference).

mod backward;
mod eval;
mod formula;
mod forward;
mod layout;
mod map;
mod part;
mod sums;
#[cfg(test)]
mod tests;

use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_flex::{Flex, FlexTensor};

use self::backward::Operand;
use self::layout::Layout;
use super::{Affine, Epilogue, Gradients, NormOps, Normalized, Saved, Statistics, reference};
use crate::ops::cpu::memory::{contiguous, rewritten, tensor};
use crate::ops::cpu::simd::Level;

impl NormOps for Flex {
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> Normalized<Self> {
        if !all_f32(
            [&x, &affine.weight, &affine.bias]
                .into_iter()
                .chain(epilogue.residual()),
        ) {
            return reference::forward(x, affine, epsilon, epilogue);
        }
        normalized(Level::Best, x, affine, epsilon, epilogue)
    }

    fn batch_norm_backward(
        saved: Saved<Self>,
        output_gradient: FloatTensor<Self>,
        wants_residual: bool,
    ) -> Gradients<Self> {
        if !all_f32([&saved.x, &output_gradient, &saved.affine.weight].into_iter()) {
            return reference::backward(saved, output_gradient, wants_residual);
        }
        gradients(Level::Best, saved, output_gradient, wants_residual)
    }

    fn batch_norm_eval(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let vectors = [&affine.weight, &affine.bias, &statistics.mean, &statistics.variance];
        if !all_f32(vectors.into_iter().chain([&x]).chain(epilogue.residual())) {
            return reference::eval(x, affine, statistics, epsilon, epilogue);
        }
        evaluated(Level::Best, x, affine, statistics, epsilon, epilogue)
    }
}

fn normalized(
    level: Level,
    x: FlexTensor,
    affine: Affine<Flex>,
    epsilon: f64,
    epilogue: Epilogue<FlexTensor>,
) -> Normalized<Flex> {
    let (x, weight, bias) = (contiguous(x), contiguous(affine.weight), contiguous(affine.bias));
    let kind = epilogue.as_ref().map(|_| ());
    // y takes the place of the residual, which is often the output of a norm that nobody keeps; x is kept for the gradients.
    let made_of = match epilogue {
        Epilogue::Nothing | Epilogue::Relu => x.clone(),
        Epilogue::AddRelu(residual) => residual,
    };
    let pass = forward::Pass {
        layout: Layout::of(&x),
        x: x.storage(),
        weight: weight.storage(),
        bias: bias.storage(),
        epsilon,
        epilogue: kind,
    };
    // SAFETY: the pass fills all it is given.
    let (y, statistics) = unsafe { rewritten(made_of, |y| pass.run(level, y)) };
    let [mean, variance] = columns(statistics);
    let statistics = Statistics {
        mean: vector(mean),
        variance: vector(variance),
    };
    Normalized { y, statistics }
}

fn gradients(level: Level, saved: Saved<Flex>, dy: FlexTensor, wants_residual: bool) -> Gradients<Flex> {
    let (x, dy) = (contiguous(saved.x), contiguous(dy));
    let vectors = [
        saved.affine.weight,
        saved.affine.bias,
        saved.statistics.mean,
        saved.statistics.variance,
    ];
    let [weight, bias, mean, variance] = vectors.map(contiguous);
    let y = saved.epilogue.map(contiguous);
    let pass = backward::Pass {
        layout: Layout::of(&x),
        weight: weight.storage(),
        bias: bias.storage(),
        mean: mean.storage(),
        variance: variance.storage(),
        epsilon: saved.epsilon,
        epilogue: y.as_ref().map(FlexTensor::storage),
    };
    let (x, residual, sums) = if y.residual().is_some() && wants_residual {
        // The masked gradient of y is the residual's, so that of x goes where x was.
        // SAFETY: the pass fills all it is given.
        let (residual, (x, sums)) =
            unsafe { rewritten(dy, |dy| rewritten(x, |x| pass.run(level, Operand::Rewritten(x), dy))) };
        (x, Some(residual), sums)
    } else {
        // SAFETY: the pass fills all it is given.
        let (dx, sums) = unsafe { rewritten(dy, |dy| pass.run(level, Operand::Kept(x.storage()), dy)) };
        (dx, None, sums)
    };
    let [bias, weight] = columns(sums);
    Gradients {
        x,
        weight: vector(weight),
        bias: vector(bias),
        residual,
    }
}

fn evaluated(
    level: Level,
    x: FlexTensor,
    affine: Affine<Flex>,
    statistics: Statistics<Flex>,
    epsilon: f64,
    epilogue: Epilogue<FlexTensor>,
) -> FlexTensor {
    let layout = Layout::of(&x);
    let vectors = [affine.weight, affine.bias, statistics.mean, statistics.variance];
    let [weight, bias, mean, variance] = vectors.map(contiguous);
    let epilogue = epilogue.map(contiguous);
    let pass = eval::Pass::new(
        layout,
        [&weight, &bias, &mean, &variance].map(FlexTensor::storage),
        epsilon,
    );
    // SAFETY: the pass fills all it is given.
    unsafe { rewritten(x, |y| pass.run(level, epilogue.as_ref().map(FlexTensor::storage), y)) }.0
}

/// 1/√(variance + epsilon), from the variance as it is stored, so that forward and backward pass have the same.
fn inverse_std(variance: f32, epsilon: f64) -> f32 {
    (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32
}

fn all_f32<'a>(mut tensors: impl Iterator<Item = &'a FlexTensor>) -> bool {
    tensors.all(|tensor| tensor.dtype() == DType::F32)
}

fn columns(rows: Vec<[f32; 2]>) -> [Vec<f32>; 2] {
    let (a, b) = rows.into_iter().map(|[a, b]| (a, b)).unzip();
    [a, b]
}

fn vector(values: Vec<f32>) -> FlexTensor {
    let shape = Shape::new([values.len()]);
    tensor(values, shape)
}
