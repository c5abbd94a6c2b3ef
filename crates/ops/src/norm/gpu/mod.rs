//! [`NormOps`](super::NormOps) for the GPU backends: CubeCL kernels on the channels-last memory that convolutions leave, for f32;
//! the default implementations for everything else.
//!
//! In tensor operations a norm is about 35 launches, because CubeCL's fusion does not join sums along channels with what
//! precedes and follows them, and each convolution's output is copied to [N, C, S] and back. Here it is three launches forward
//! and three backward, which read every tensor once or twice.

mod backend;
mod fusion;
mod kernels;
mod launch;
mod plan;
mod rows;
