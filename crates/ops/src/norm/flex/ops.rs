//! [`NormOps`] for the CPU backend: converts tensors to slices, runs the passes, and converts back.

use barlow_simd::Level;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_flex::{Flex, FlexTensor};

use super::backward::{BackwardPass, Given, Operand};
use super::eval::EvalPass;
use super::forward::{ForwardPass, statistics_of};
use super::layout::NormLayout;
use crate::cpu::tensors::{contiguous, rewritten, tensor};
use crate::norm::{Affine, Epilogue, NormGradients, NormOps, NormSaved, Normalized, Statistics, reference};

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
        normalized(Level::current(), x, affine, epsilon, epilogue)
    }

    fn batch_norm_backward(
        saved: NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
        wants_residual: bool,
    ) -> NormGradients<Self> {
        if !all_f32([&saved.x, &output_gradient, &saved.affine.weight].into_iter()) {
            return reference::backward(saved, output_gradient, wants_residual);
        }
        gradients(Level::current(), saved, output_gradient, wants_residual)
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
        evaluated(Level::current(), x, affine, statistics, epsilon, epilogue)
    }

    fn batch_norm_statistics(x: FloatTensor<Self>) -> Statistics<Self> {
        if !all_f32([&x].into_iter()) {
            return reference::statistics(x);
        }
        let x = contiguous(x);
        let [mean, variance] = columns(statistics_of(Level::current(), NormLayout::of(&x), x.storage()));
        Statistics {
            mean: vector(mean),
            variance: vector(variance),
        }
    }

    fn batch_norm_with(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let vectors = [&affine.weight, &affine.bias, &statistics.mean, &statistics.variance];
        if !all_f32(vectors.into_iter().chain([&x]).chain(epilogue.residual())) {
            return reference::with(x, affine, statistics, epsilon, epilogue);
        }
        normalized_with(Level::current(), x, affine, statistics, epsilon, epilogue)
    }

    fn batch_norm_gradient_sums(
        saved: &NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 2]) {
        if !all_f32([&saved.x, &output_gradient, &saved.affine.weight].into_iter()) {
            return reference::gradient_sums(saved, output_gradient);
        }
        gradient_sums(Level::current(), saved, output_gradient)
    }

    fn batch_norm_input_gradient(
        saved: NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
        means: [FloatTensor<Self>; 2],
        wants_residual: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        if !all_f32([&saved.x, &output_gradient, &saved.affine.weight].into_iter()) {
            return reference::input_gradient(saved, output_gradient, means, wants_residual);
        }
        input_gradient(Level::current(), saved, output_gradient, means, wants_residual)
    }
}

pub(super) fn normalized_with(
    level: Level,
    x: FlexTensor,
    affine: Affine<Flex>,
    statistics: Statistics<Flex>,
    epsilon: f64,
    epilogue: Epilogue<FlexTensor>,
) -> FlexTensor {
    let x = contiguous(x);
    let vectors = [affine.weight, affine.bias, statistics.mean, statistics.variance];
    let [weight, bias, mean, variance] = vectors.map(contiguous);
    let kind = epilogue.as_ref().map(|_| ());
    // As in `normalized`.
    let made_of = match epilogue {
        Epilogue::Nothing | Epilogue::Relu => x.clone(),
        Epilogue::AddRelu(residual) => residual,
    };
    let pass = ForwardPass {
        layout: NormLayout::of(&x),
        x: x.storage(),
        weight: weight.storage(),
        bias: bias.storage(),
        epsilon,
        epilogue: kind,
    };
    let statistics = mean.storage::<f32>().iter().zip(variance.storage::<f32>());
    let statistics: Vec<[f32; 2]> = statistics.map(|(&mean, &variance)| [mean, variance]).collect();
    // SAFETY: the pass writes all of its arguments.
    unsafe { rewritten(made_of, |y| pass.run_with(level, &statistics, y)) }.0
}

pub(super) fn gradient_sums(level: Level, saved: &NormSaved<Flex>, dy: FlexTensor) -> (FlexTensor, [FlexTensor; 2]) {
    let (x, mut dy) = (contiguous(saved.x.clone()), contiguous(dy));
    let vectors = SavedVectors::of(saved);
    let y = saved.epilogue.clone().map(contiguous);
    let pass = vectors.pass(NormLayout::of(&x), saved.epsilon, y.as_ref().map(FlexTensor::storage));
    if y.residual().is_some() {
        // SAFETY: the pass writes all of its arguments.
        dy = unsafe { rewritten(dy, |dy| pass.mask(level, dy)) }.0;
    }
    let sums = columns(pass.sums(level, x.storage(), dy.storage()));
    (dy, sums.map(vector))
}

pub(super) fn input_gradient(
    level: Level,
    saved: NormSaved<Flex>,
    dy: FlexTensor,
    means: [FlexTensor; 2],
    wants_residual: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    let vectors = SavedVectors::of(&saved);
    let (x, dy, means) = (contiguous(saved.x), contiguous(dy), means.map(contiguous));
    let y = saved.epilogue.map(contiguous);
    let pass = vectors.pass(NormLayout::of(&x), saved.epsilon, y.as_ref().map(FlexTensor::storage));
    let means = means.each_ref().map(FlexTensor::storage);
    if y.residual().is_some() && wants_residual {
        let given = Given::Dy(dy.storage());
        // SAFETY: the pass writes all of its arguments.
        let x = unsafe { rewritten(x, |x| pass.run_with(level, given, means, x)) }.0;
        return (x, Some(dy));
    }
    let given = Given::X(x.storage());
    // SAFETY: the pass writes all of its arguments.
    let dx = unsafe { rewritten(dy, |dy| pass.run_with(level, given, means, dy)) }.0;
    (dx, None)
}

/// The vectors that a backward pass reads.
struct SavedVectors([FlexTensor; 4]);

impl SavedVectors {
    fn of(saved: &NormSaved<Flex>) -> Self {
        let vectors = [
            &saved.affine.weight,
            &saved.affine.bias,
            &saved.statistics.mean,
            &saved.statistics.variance,
        ];
        Self(vectors.map(|vector| contiguous(vector.clone())))
    }

    fn pass<'a>(&'a self, layout: NormLayout, epsilon: f64, epilogue: Epilogue<&'a [f32]>) -> BackwardPass<'a> {
        let [weight, bias, mean, variance] = self.0.each_ref().map(FlexTensor::storage);
        BackwardPass {
            layout,
            weight,
            bias,
            mean,
            variance,
            epsilon,
            epilogue,
        }
    }
}

pub(super) fn normalized(
    level: Level,
    x: FlexTensor,
    affine: Affine<Flex>,
    epsilon: f64,
    epilogue: Epilogue<FlexTensor>,
) -> Normalized<Flex> {
    let (x, weight, bias) = (contiguous(x), contiguous(affine.weight), contiguous(affine.bias));
    let kind = epilogue.as_ref().map(|_| ());
    // y is written in place of the residual, which is often the output of a norm that is not needed otherwise; x is saved for the
    // gradients.
    let made_of = match epilogue {
        Epilogue::Nothing | Epilogue::Relu => x.clone(),
        Epilogue::AddRelu(residual) => residual,
    };
    let pass = ForwardPass {
        layout: NormLayout::of(&x),
        x: x.storage(),
        weight: weight.storage(),
        bias: bias.storage(),
        epsilon,
        epilogue: kind,
    };
    // SAFETY: the pass writes all of its arguments.
    let (y, statistics) = unsafe { rewritten(made_of, |y| pass.run(level, y)) };
    let [mean, variance] = columns(statistics);
    let statistics = Statistics {
        mean: vector(mean),
        variance: vector(variance),
    };
    Normalized { y, statistics }
}

pub(super) fn gradients(
    level: Level,
    saved: NormSaved<Flex>,
    dy: FlexTensor,
    wants_residual: bool,
) -> NormGradients<Flex> {
    let vectors = SavedVectors::of(&saved);
    let (x, dy) = (contiguous(saved.x), contiguous(dy));
    let y = saved.epilogue.map(contiguous);
    let pass = vectors.pass(NormLayout::of(&x), saved.epsilon, y.as_ref().map(FlexTensor::storage));
    let (x, residual, sums) = if y.residual().is_some() && wants_residual {
        // The masked gradient of y is the residual's gradient, so the gradient of x is written in place of x.
        // SAFETY: the pass writes all of its arguments.
        let (residual, (x, sums)) =
            unsafe { rewritten(dy, |dy| rewritten(x, |x| pass.run(level, Operand::Replaced(x), dy))) };
        (x, Some(residual), sums)
    } else {
        // SAFETY: the pass writes all of its arguments.
        let (dx, sums) = unsafe { rewritten(dy, |dy| pass.run(level, Operand::ReadOnly(x.storage()), dy)) };
        (dx, None, sums)
    };
    let [bias, weight] = columns(sums);
    NormGradients {
        x,
        weight: vector(weight),
        bias: vector(bias),
        residual,
    }
}

pub(super) fn evaluated(
    level: Level,
    x: FlexTensor,
    affine: Affine<Flex>,
    statistics: Statistics<Flex>,
    epsilon: f64,
    epilogue: Epilogue<FlexTensor>,
) -> FlexTensor {
    let layout = NormLayout::of(&x);
    let vectors = [affine.weight, affine.bias, statistics.mean, statistics.variance];
    let [weight, bias, mean, variance] = vectors.map(contiguous);
    let epilogue = epilogue.map(contiguous);
    let pass = EvalPass::new(
        layout,
        [&weight, &bias, &mean, &variance].map(FlexTensor::storage),
        epsilon,
    );
    // SAFETY: the pass writes all of its arguments.
    unsafe { rewritten(x, |y| pass.run(level, epilogue.as_ref().map(FlexTensor::storage), y)) }.0
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
