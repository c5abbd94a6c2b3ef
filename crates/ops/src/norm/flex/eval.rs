//! Batch norm with given statistics: a multiplication and an addition per value, with constants per channel, in one pass.

use barlow_simd::{Level, Simd, WithSimd};
use rayon::prelude::*;

use super::formula::{Formula, affine, inverse_std, where_positive};
use super::layout::NormLayout;
use super::map::map;
use crate::cpu::in_place::InPlaceOrFresh;
use crate::norm::Epilogue;

/// Minimum number of floats per task, if an image has as many.
const TASK_FLOATS: usize = 16 * 1024;

/// The factor and the summand of every channel.
pub(super) struct EvalPass {
    layout: NormLayout,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl EvalPass {
    /// Computes them from vectors over all channels.
    pub(super) fn new(layout: NormLayout, [weight, bias, mean, variance]: [&[f32]; 4], epsilon: f64) -> Self {
        let scale = variance.iter().zip(weight);
        let scale: Vec<f32> = scale
            .map(|(&variance, weight)| inverse_std(variance, epsilon) * weight)
            .collect();
        let shift = bias.iter().zip(mean.iter().zip(&scale));
        Self {
            layout,
            shift: shift.map(|(bias, (mean, scale))| bias - mean * scale).collect(),
            scale,
        }
    }

    /// Writes `y`; its operand is x.
    pub(super) fn run(&self, level: Level, epilogue: Epilogue<&[f32]>, y: InPlaceOrFresh<'_>) {
        let NormLayout { channels, pixels, .. } = self.layout;
        if self.layout.is_empty() {
            return;
        }
        let run = TASK_FLOATS.div_ceil(pixels).min(channels);
        let mut tasks = Vec::new();
        for (image, floats) in y.chunks(channels * pixels).enumerate() {
            for (index, y) in floats.chunks(run * pixels).enumerate() {
                let first = index * run;
                let start = (image * channels + first) * pixels;
                tasks.push((first, start, y));
            }
        }
        tasks.into_par_iter().for_each(|(first, start, y)| {
            let params = [&self.scale[first..], &self.shift[first..]];
            let epilogue = epilogue.map(|residual| &residual[start..start + y.operand().len()]);
            level.run(EvalTask {
                pixels,
                params,
                epilogue,
                y,
            });
        });
    }
}

/// A task over a few channels of an image; `params` starts at the first of them.
pub(super) struct EvalTask<'a> {
    pub(super) pixels: usize,
    pub(super) params: [&'a [f32]; 2],
    pub(super) epilogue: Epilogue<&'a [f32]>,
    pub(super) y: InPlaceOrFresh<'a>,
}

impl WithSimd for EvalTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            pixels,
            params,
            epilogue,
            y,
        } = self;
        match epilogue {
            Epilogue::Nothing => map(simd, y, pixels, params, None, Normal),
            Epilogue::Relu => map(simd, y, pixels, params, None, NormalRelu),
            Epilogue::AddRelu(residual) => map(simd, y, pixels, params, Some(residual), NormalAddRelu),
        };
    }
}

struct Normal;

impl<S: Simd> Formula<S, 2, S::f32s> for Normal {
    #[inline(always)]
    fn of(simd: S, [scale, shift]: [S::f32s; 2], x: S::f32s, _: S::f32s) -> S::f32s {
        affine(simd, x, scale, shift)
    }
}

struct NormalRelu;

impl<S: Simd> Formula<S, 2, S::f32s> for NormalRelu {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 2], x: S::f32s, other: S::f32s) -> S::f32s {
        let y = Normal::of(simd, params, x, other);
        where_positive(simd, y, y)
    }
}

struct NormalAddRelu;

impl<S: Simd> Formula<S, 2, S::f32s> for NormalAddRelu {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 2], x: S::f32s, residual: S::f32s) -> S::f32s {
        let y = simd.add_f32s(Normal::of(simd, params, x, residual), residual);
        where_positive(simd, y, y)
    }
}
