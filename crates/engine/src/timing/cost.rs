//! A model of what a piece of work needs at least: arithmetic operations, and bytes between a device and its memory in f32, when
//! every operation reads its operands and writes its result once. With a device's measured rates this is the time that the work
//! cannot fall below (the roofline).

use barlow_model::ConvShape;
use std::ops::{AddAssign, Mul};

const F32: f64 = 4.0;

/// Arithmetic operations and bytes of memory traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Multiplications and additions.
    pub operations: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

impl Cost {
    /// One pass of a convolution: forward, or one of the two gradients, which need as much.
    pub fn convolution(shape: &ConvShape, images: usize) -> Self {
        let values = images * (shape.inputs() + shape.outputs()) + shape.weights();
        Self {
            operations: 2.0 * images as f64 * shape.products() as f64,
            bytes: F32 * values as f64,
        }
    }

    /// A product of an m × k and a k × n matrix.
    pub fn product(m: usize, k: usize, n: usize) -> Self {
        let [m, k, n] = [m, k, n].map(|side| side as f64);
        Self {
            operations: 2.0 * m * k * n,
            bytes: F32 * (m * k + k * n + m * n),
        }
    }

    /// Batch norm with its activation, forward (statistics, then the values) and backward (sums, then the gradient), of `values`
    /// values: they are read twice and written once, then read twice with their gradients, and a gradient is written.
    pub fn norm_and_activation(values: usize) -> Self {
        Self {
            operations: 0.0,
            bytes: F32 * 8.0 * values as f64,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.operations += other.operations;
        self.bytes += other.bytes;
    }
}

impl Mul<f64> for Cost {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self {
            operations: factor * self.operations,
            bytes: factor * self.bytes,
        }
    }
}
