//! The forward pass: one pass over x computes mean and variance, a second one y.
//!
//! Both sums are over x − pilot, where the pilot is the channel's mean in the first image, so that the sum of squares does not
//! suffer from cancellation, however large the mean is.

use barlow_simd::{Level, Simd, WithSimd};
use rayon::prelude::*;

use super::formula::{Formula, affine, inverse_std, where_positive};
use super::layout::NormLayout;
use super::map::map;
use super::sums::ChannelSums;
use crate::cpu::in_place::{ChannelRuns, InPlaceOrFresh};
use crate::norm::Epilogue;

/// The forward pass over one batch, with vectors of all channels.
#[derive(Clone, Copy)]
pub(super) struct ForwardPass<'a> {
    pub(super) layout: NormLayout,
    pub(super) x: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) epsilon: f64,
    pub(super) epilogue: Epilogue<()>,
}

impl ForwardPass<'_> {
    /// Writes `y`, whose operand is the residual if there is one, else x. Returns (mean, variance) of each channel.
    pub(super) fn run(&self, level: Level, y: InPlaceOrFresh<'_>) -> Vec<[f32; 2]> {
        let layout = self.layout;
        if layout.is_empty() {
            return vec![[0.0; 2]; layout.channels];
        }
        let run = |(index, y)| {
            let first = index * layout.run();
            level.run(ForwardTask { pass: *self, first, y })
        };
        layout.tasks(y).into_par_iter().enumerate().flat_map_iter(run).collect()
    }

    /// Writes `y`, as [`ForwardPass::run`] does if `statistics` are those of x.
    pub(super) fn run_with(&self, level: Level, statistics: &[[f32; 2]], y: InPlaceOrFresh<'_>) {
        let layout = self.layout;
        if layout.is_empty() {
            return;
        }
        layout.tasks(y).into_par_iter().enumerate().for_each(|(index, y)| {
            level.run(NormaliseTask {
                pass: *self,
                first: index * layout.run(),
                statistics,
                y,
            });
        });
    }
}

/// A task over the channels from `first` on.
pub(super) struct ForwardTask<'a> {
    pub(super) pass: ForwardPass<'a>,
    pub(super) first: usize,
    pub(super) y: ChannelRuns<'a>,
}

impl WithSimd for ForwardTask<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<[f32; 2]> {
        let Self { pass, first, y } = self;
        let statistics = statistics(simd, pass.layout, pass.x, first);
        normalise(simd, pass, first, &statistics, y);
        statistics
    }
}

/// (mean, variance) of the channels of the task that starts at channel `first`.
#[inline(always)]
fn statistics<S: Simd>(simd: S, layout: NormLayout, x: &[f32], first: usize) -> Vec<[f32; 2]> {
    let (pixels, channels) = (layout.pixels, layout.channels_of(first));
    let mut sums = ChannelSums::new(layout, channels);
    let piece = layout.piece(x, 0, first);
    sums.add(simd, [], piece, piece, Identity);
    let pilot: Vec<f32> = sums
        .finish()
        .iter()
        .map(|[sum, _]| (sum / pixels as f64) as f32)
        .collect();

    let mut sums = ChannelSums::new(layout, channels);
    for image in 0..layout.images {
        let piece = layout.piece(x, image, first);
        sums.add(simd, [&pilot], piece, piece, Moments);
    }
    sums.finish()
        .iter()
        .zip(&pilot)
        .map(|(sums, &pilot)| {
            let [offset, square] = sums.map(|sum| sum / layout.count());
            // Negative only through rounding; NaN stays NaN.
            let variance = (square - offset * offset) as f32;
            [
                (f64::from(pilot) + offset) as f32,
                if variance < 0.0 { 0.0 } else { variance },
            ]
        })
        .collect()
}

/// Writes y of the channels from `first` on with their statistics.
#[inline(always)]
fn normalise<S: Simd>(simd: S, pass: ForwardPass<'_>, first: usize, statistics: &[[f32; 2]], mut y: ChannelRuns<'_>) {
    let ForwardPass { layout, x, .. } = pass;
    let (pixels, channels) = (layout.pixels, layout.channels_of(first));
    let mean: Vec<f32> = statistics.iter().map(|[mean, _]| *mean).collect();
    let scale = statistics.iter().zip(&pass.weight[first..]);
    let scale: Vec<f32> = scale
        .map(|([_, variance], weight)| inverse_std(*variance, pass.epsilon) * weight)
        .collect();
    let params = [&mean[..], &scale[..], &pass.bias[first..first + channels]];
    for image in 0..layout.images {
        let (x, y) = (Some(layout.piece(x, image, first)), y.part(image));
        match pass.epilogue {
            Epilogue::Nothing => map(simd, y, pixels, params, x, Normal),
            Epilogue::Relu => map(simd, y, pixels, params, x, NormalRelu),
            Epilogue::AddRelu(()) => map(simd, y, pixels, params, x, NormalAddRelu),
        };
    }
}

/// The statistics of every channel, as [`ForwardPass::run`] returns them.
pub(super) fn statistics_of(level: Level, layout: NormLayout, x: &[f32]) -> Vec<[f32; 2]> {
    if layout.is_empty() {
        return vec![[0.0; 2]; layout.channels];
    }
    let tasks: Vec<usize> = (0..layout.channels).step_by(layout.run()).collect();
    let run = |first| level.run(StatisticsTask { layout, x, first });
    tasks.into_par_iter().flat_map_iter(run).collect()
}

struct StatisticsTask<'a> {
    layout: NormLayout,
    x: &'a [f32],
    first: usize,
}

impl WithSimd for StatisticsTask<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<[f32; 2]> {
        statistics(simd, self.layout, self.x, self.first)
    }
}

/// The second half of a forward pass, with given statistics.
struct NormaliseTask<'a> {
    pass: ForwardPass<'a>,
    first: usize,
    statistics: &'a [[f32; 2]],
    y: ChannelRuns<'a>,
}

impl WithSimd for NormaliseTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let statistics = &self.statistics[self.first..][..self.pass.layout.channels_of(self.first)];
        normalise(simd, self.pass, self.first, statistics, self.y);
    }
}

struct Identity;

impl<S: Simd> Formula<S, 0, [S::f32s; 2]> for Identity {
    #[inline(always)]
    fn of(simd: S, []: [S::f32s; 0], x: S::f32s, _: S::f32s) -> [S::f32s; 2] {
        [x, simd.splat_f32s(0.0)]
    }
}

/// x − pilot and its square.
struct Moments;

impl<S: Simd> Formula<S, 1, [S::f32s; 2]> for Moments {
    #[inline(always)]
    fn of(simd: S, [pilot]: [S::f32s; 1], x: S::f32s, _: S::f32s) -> [S::f32s; 2] {
        let centred = simd.sub_f32s(x, pilot);
        [centred, simd.mul_f32s(centred, centred)]
    }
}

/// Ignores the operand of y.
struct Normal;

impl<S: Simd> Formula<S, 3, S::f32s> for Normal {
    #[inline(always)]
    fn of(simd: S, [mean, scale, bias]: [S::f32s; 3], _: S::f32s, x: S::f32s) -> S::f32s {
        affine(simd, simd.sub_f32s(x, mean), scale, bias)
    }
}

struct NormalRelu;

impl<S: Simd> Formula<S, 3, S::f32s> for NormalRelu {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 3], operand: S::f32s, x: S::f32s) -> S::f32s {
        let y = Normal::of(simd, params, operand, x);
        where_positive(simd, y, y)
    }
}

struct NormalAddRelu;

impl<S: Simd> Formula<S, 3, S::f32s> for NormalAddRelu {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 3], residual: S::f32s, x: S::f32s) -> S::f32s {
        let y = simd.add_f32s(Normal::of(simd, params, residual, x), residual);
        where_positive(simd, y, y)
    }
}
