//! The passes of LARS and SGD: the norms, then a momentum step.

use super::chunk::CHUNK;
use barlow_simd::{Level, NullaryFnOnce};
use rayon::prelude::*;

/// Partial sums of a chunk; a fixed number, so that the order of summation is the same for vectors of any width.
const LANES: usize = 16;

/// How the norms change a gradient: `(g + weight_decay·p) · ratio`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Adaptation {
    pub weight_decay: f32,
    pub ratio: f32,
}

/// The rates of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    pub momentum: f32,
    pub learning_rate: f32,
}

/// ‖p‖ and ‖g + weight_decay·p‖, summed in 64 bits chunk by chunk.
pub(super) fn norms(weight_decay: f32, value: &[f32], gradient: &[f32]) -> [f64; 2] {
    let chunk = |(value, gradient)| {
        Level::Best.run(Squares {
            weight_decay,
            value,
            gradient,
        })
    };
    let chunks: Vec<[f64; 2]> = if value.len() <= CHUNK {
        vec![chunk((value, gradient))]
    } else {
        let chunks = value.par_chunks(CHUNK).zip(gradient.par_chunks(CHUNK));
        chunks.map(chunk).collect()
    };
    let sums = chunks
        .iter()
        .fold([0.0; 2], |sum, chunk| [sum[0] + chunk[0], sum[1] + chunk[1]]);
    sums.map(f64::sqrt)
}

/// Updates `value` and its momentum by one step; all three have the same length.
pub(super) fn update(adaptation: Adaptation, rates: Rates, value: &mut [f32], momentum: &mut [f32], gradient: &[f32]) {
    let chunk = |value, momentum, gradient| {
        Level::Best.run(Step {
            adaptation,
            rates,
            value,
            momentum,
            gradient,
        });
    };
    if value.len() <= CHUNK {
        return chunk(value, momentum, gradient);
    }
    let values = value.par_chunks_mut(CHUNK).zip(momentum.par_chunks_mut(CHUNK));
    values
        .zip(gradient.par_chunks(CHUNK))
        .for_each(|((value, momentum), gradient)| chunk(value, momentum, gradient));
}

/// Σ p² and Σ (g + weight_decay·p)² of a chunk.
pub(super) struct Squares<'a> {
    pub weight_decay: f32,
    pub value: &'a [f32],
    pub gradient: &'a [f32],
}

impl NullaryFnOnce for Squares<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn call(self) -> [f64; 2] {
        let (mut values, mut directions) = ([0.0f64; LANES], [0.0f64; LANES]);
        for (value, gradient) in self.value.chunks(LANES).zip(self.gradient.chunks(LANES)) {
            let sums = values.iter_mut().zip(&mut directions);
            for ((value, gradient), (values, directions)) in value.iter().zip(gradient).zip(sums) {
                let direction = f64::from(gradient + value * self.weight_decay);
                *values += f64::from(*value) * f64::from(*value);
                *directions += direction * direction;
            }
        }
        [values, directions].map(|lanes| lanes.iter().sum())
    }
}

/// The update of a chunk.
pub(super) struct Step<'a> {
    pub adaptation: Adaptation,
    pub rates: Rates,
    pub value: &'a mut [f32],
    pub momentum: &'a mut [f32],
    pub gradient: &'a [f32],
}

impl NullaryFnOnce for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Adaptation { weight_decay, ratio } = self.adaptation;
        let Rates {
            momentum: keep,
            learning_rate,
        } = self.rates;
        let values = self.value.iter_mut().zip(self.momentum);
        for ((value, momentum), gradient) in values.zip(self.gradient) {
            let direction = (gradient + *value * weight_decay) * ratio;
            *momentum = *momentum * keep + direction;
            *value -= *momentum * learning_rate;
        }
    }
}
