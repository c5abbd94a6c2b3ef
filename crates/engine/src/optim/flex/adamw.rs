//! AdamW in one pass. The operations and their order are those of the tensor ops, so the results are equal bit for bit.

use super::chunk::CHUNK;
use crate::optim::adamw::Coefficients;
use barlow_simd::{Level, NullaryFnOnce};
use rayon::prelude::*;

/// Updates `value` and both moments by one step; all four have the same length.
pub(super) fn update(
    coefficients: Coefficients,
    value: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    gradient: &[f32],
) {
    let chunk = |value, first, second, gradient| {
        Level::Best.run(Chunk {
            coefficients,
            value,
            first,
            second,
            gradient,
        });
    };
    if value.len() <= CHUNK {
        return chunk(value, first, second, gradient);
    }
    let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
    let values = value.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
    values
        .zip(moments)
        .for_each(|((value, gradient), (first, second))| chunk(value, first, second, gradient));
}

/// The kernel on a chunk, compiled for the vector instructions of the machine.
pub(super) struct Chunk<'a> {
    pub coefficients: Coefficients,
    pub value: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
    pub gradient: &'a [f32],
}

impl NullaryFnOnce for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let c = &self.coefficients;
        let [first_beta, second_beta] = c.betas.map(|beta| beta as f32);
        let [first_rest, second_rest] = c.betas.map(|beta| (1.0 - beta) as f32);
        let [root_correction, epsilon] = [c.root_correction as f32, c.epsilon as f32];
        let [decay, rate] = [c.decay as f32, c.rate as f32];
        let moments = self.first.iter_mut().zip(self.second);
        for ((value, gradient), (first, second)) in self.value.iter_mut().zip(self.gradient).zip(moments) {
            *first = *first * first_beta + gradient * first_rest;
            *second = *second * second_beta + gradient * gradient * second_rest;
            let denominator = second.sqrt() / root_correction + epsilon;
            *value = *value * decay - *first / denominator * rate;
        }
    }
}
