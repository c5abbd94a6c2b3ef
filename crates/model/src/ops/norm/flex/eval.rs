//! Batch norm by given statistics: one factor and one summand a channel, in one pass.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::layout::Layout;
use super::rows::{map, map_alone};
use super::{Epilogue, inverse_std, positive};
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

impl NullaryFnOnce for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            pixels,
            params,
            epilogue,
            mut y,
        } = self;
        let y = y.fill();
        match epilogue {
            Epilogue::Nothing => map_alone(y, pixels, params, |[scale, shift], x| x * scale + shift),
            Epilogue::Relu => map_alone(y, pixels, params, |[scale, shift], x| positive(x * scale + shift)),
            Epilogue::AddRelu(residual) => map(y, pixels, params, residual, |[scale, shift], x, residual| {
                positive(x * scale + shift + residual)
            }),
        }
    }
}
