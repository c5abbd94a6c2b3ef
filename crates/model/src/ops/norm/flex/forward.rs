//! The forward pass: mean and variance in one pass over x, y in the second.
//!
//! Both sums are of x − pilot, where the pilot is the channel's mean in the first image: squares of values so near the mean lose
//! nothing to cancellation, however large the mean is.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::layout::Layout;
use super::rows::{Sums, map};
use super::{Epilogue, inverse_std, positive};
use crate::ops::cpu::memory::Piece;
use crate::ops::cpu::simd::Level;

/// One batch, with vectors of all channels.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) layout: Layout,
    pub(super) x: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) epsilon: f64,
    pub(super) epilogue: Epilogue<()>,
}

impl Pass<'_> {
    /// Fills `y`, which is made of the residual or else of x; returns (mean, variance) of each channel.
    pub(super) fn run(&self, level: Level, y: Piece<'_>) -> Vec<[f32; 2]> {
        let layout = self.layout;
        if layout.is_empty() {
            return vec![[0.0; 2]; layout.channels];
        }
        let run = |(index, y)| {
            let first = index * layout.run();
            level.run(Task { pass: *self, first, y })
        };
        layout.tasks(y).into_par_iter().enumerate().flat_map_iter(run).collect()
    }
}

/// The channels from `first` on.
struct Task<'a> {
    pass: Pass<'a>,
    first: usize,
    y: Vec<Piece<'a>>,
}

impl NullaryFnOnce for Task<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn call(self) -> Vec<[f32; 2]> {
        let Self { pass, first, y } = self;
        let Pass { layout, x, .. } = pass;
        let (pixels, channels) = (layout.pixels, layout.channels_of(first));

        let mut sums = Sums::new(layout, channels);
        let piece = layout.piece(x, 0, first);
        sums.add([], piece, piece, |[], x, _| [x, 0.0]);
        let pilot: Vec<f32> = sums
            .finish()
            .iter()
            .map(|[sum, _]| (sum / pixels as f64) as f32)
            .collect();

        let mut sums = Sums::new(layout, channels);
        for image in 0..layout.images {
            let piece = layout.piece(x, image, first);
            sums.add([&pilot], piece, piece, |[pilot], x, _| {
                let centred = x - pilot;
                [centred, centred * centred]
            });
        }
        let statistics: Vec<[f32; 2]> = sums
            .finish()
            .iter()
            .zip(&pilot)
            .map(|(sums, &pilot)| {
                let [moved, square] = sums.map(|sum| sum / layout.count());
                // Not below 0, but by rounding; what is not a number stays so.
                let variance = (square - moved * moved) as f32;
                [(f64::from(pilot) + moved) as f32, positive(variance)]
            })
            .collect();

        let mean: Vec<f32> = statistics.iter().map(|[mean, _]| *mean).collect();
        let scale = statistics.iter().zip(&pass.weight[first..]);
        let scale: Vec<f32> = scale
            .map(|([_, variance], weight)| inverse_std(*variance, pass.epsilon) * weight)
            .collect();
        let params = [&mean[..], &scale[..], &pass.bias[first..first + channels]];
        for (image, mut y) in y.into_iter().enumerate() {
            let (x, y) = (layout.piece(x, image, first), y.fill());
            match pass.epilogue {
                Epilogue::Nothing => map(y, pixels, params, x, |[mean, scale, bias], _, x| {
                    (x - mean) * scale + bias
                }),
                Epilogue::Relu => map(y, pixels, params, x, |[mean, scale, bias], _, x| {
                    positive((x - mean) * scale + bias)
                }),
                Epilogue::AddRelu(()) => map(y, pixels, params, x, |[mean, scale, bias], residual, x| {
                    positive((x - mean) * scale + bias + residual)
                }),
            }
        }
        statistics
    }
}
