//! Batch norm by given statistics: one factor and one summand a channel, in one pass.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::formula::{Formula, affine, where_positive};
use super::layout::Layout;
use super::map::map;
use super::{Epilogue, inverse_std};
use crate::ops::cpu::memory::Piece;
use crate::ops::cpu::simd::Level;

/// Floats of a task at least, if an image has as many.
const TASK_FLOATS: usize = 16 * 1024;

/// Factor and summand of all channels.
pub(super) struct Pass {
    layout: Layout,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Pass {
    /// From vectors of all channels.
    pub(super) fn new(layout: Layout, [weight, bias, mean, variance]: [&[f32]; 4], epsilon: f64) -> Self {
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

    /// Fills `y`, which is made of x.
    pub(super) fn run(&self, level: Level, epilogue: Epilogue<&[f32]>, y: Piece<'_>) {
        let Layout { channels, pixels, .. } = self.layout;
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
            level.run(Task {
                pixels,
                params,
                epilogue,
                y,
            });
        });
    }
}

/// A few channels of an image; `params` from the first of them on.
struct Task<'a> {
    pixels: usize,
    params: [&'a [f32]; 2],
    epilogue: Epilogue<&'a [f32]>,
    y: Piece<'a>,
}

impl WithSimd for Task<'_> {
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
    fn of(simd: S, params: [S::f32s; 2], x: S::f32s, place: S::f32s) -> S::f32s {
        let y = Normal::of(simd, params, x, place);
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
