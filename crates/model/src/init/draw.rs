//! Random number generator of one parameter: ChaCha8 keyed by (seed, name), with uniform and normal distributions.
//!
//! All arithmetic between the key and the `f32` is implemented in this file with additions, multiplications, divisions
//! and square roots, which IEEE 754 defines bit for bit. Neither an upgrade of `rand` nor the logarithm of a different
//! platform's C library can change a weight.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::f64::consts::{LN_2, SQRT_2};

/// The random stream of one parameter.
pub(super) struct Draw {
    generator: ChaCha8Rng,
    /// The second value of a pair: the polar method generates normal numbers in pairs.
    spare: Option<f64>,
}

/// `count` normal values with mean 0, keyed by (seed, name) as the initial weights of a model are: of a layer that is no part of one.
pub fn normal_values(seed: u64, name: &str, count: usize, std: f64) -> Vec<f32> {
    Draw::new(seed, name).normal(count, std)
}

/// `count` values uniform in ±`bound`, keyed as [`normal_values`].
pub fn uniform_values(seed: u64, name: &str, count: usize, bound: f64) -> Vec<f32> {
    Draw::new(seed, name).uniform(count, bound)
}

impl Draw {
    /// The stream of the parameter `name` for `seed`.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let mut key = *b"........________barlow:weights:1";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&fnv1a(name.as_bytes()).to_le_bytes());
        Self {
            generator: ChaCha8Rng::from_seed(key),
            spare: None,
        }
    }

    /// Values in [−bound, bound).
    pub(super) fn uniform(&mut self, count: usize, bound: f64) -> Vec<f32> {
        (0..count).map(|_| (self.unit() * bound) as f32).collect()
    }

    /// Normal values with mean 0.
    pub(super) fn normal(&mut self, count: usize, std: f64) -> Vec<f32> {
        (0..count).map(|_| (self.standard_normal() * std) as f32).collect()
    }

    /// Uniform in (−1, 1), a multiple of 2⁻³² that is never 0.
    fn unit(&mut self) -> f64 {
        (f64::from(self.generator.next_u32()) + 0.5) / f64::from(1u32 << 31) - 1.0
    }

    /// Marsaglia's polar method, which needs a logarithm, but no sine or cosine.
    fn standard_normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (u, v) = (self.unit(), self.unit());
            let square = u * u + v * v;
            if square < 1.0 {
                let factor = (-2.0 * ln(square) / square).sqrt();
                self.spare = Some(v * factor);
                return u * factor;
            }
        }
    }
}

/// Natural logarithm of a normal positive number, to about 1e-15: with x = m·2ᵉ, m in [√½, √2) and s = (m−1)/(m+1),
/// ln x = e·ln 2 + 2·(s + s³/3 + s⁵/5 + …); |s| ≤ 0.172, so twelve terms are enough.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa >= SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = (0..12)
        .rev()
        .fold(0.0, |sum, k| sum * s * s + 1.0 / f64::from(2 * k + 1));
    exponent as f64 * LN_2 + 2.0 * s * series
}

/// FNV-1a, 64 bits. Implemented here because the standard library does not guarantee a stable hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        // The published test vectors of the algorithm.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_logarithm_agrees_with_the_library_s() {
        let mut x = 1e-19;
        while x < 1e3 {
            let (own, library): (f64, f64) = (ln(x), x.ln());
            assert!(
                (own - library).abs() <= 4e-15 * library.abs().max(1e-3),
                "ln {x}: {own} against {library}"
            );
            x *= 1.000_37;
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn normal_numbers_have_the_moments_of_a_normal_distribution() {
        let values = Draw::new(7, "moments").normal(200_000, 1.0);
        let moment = |power: i32| values.iter().map(|&v| f64::from(v).powi(power)).sum::<f64>() / values.len() as f64;
        // Five standard errors of each moment's estimate.
        let error = |variance: f64| 5.0 * (variance / values.len() as f64).sqrt();
        assert!(moment(1).abs() < error(1.0));
        assert!((moment(2) - 1.0).abs() < error(2.0));
        assert!(moment(3).abs() < error(15.0));
        assert!((moment(4) - 3.0).abs() < error(96.0));
    }

    #[test]
    fn uniform_numbers_fill_their_range() {
        let values = Draw::new(7, "range").uniform(100_000, 0.25);
        let (least, most) = values.iter().fold((0f32, 0f32), |(a, b), &v| (a.min(v), b.max(v)));
        assert!(
            (-0.25..-0.2499).contains(&least) && (0.2499..=0.25).contains(&most),
            "{least} {most}"
        );
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 5.0 * 0.25 / 3f64.sqrt() / (values.len() as f64).sqrt());
    }
}
