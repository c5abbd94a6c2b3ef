//! [`ConvOps`](super::ConvOps) for the GPU backends: CubeCL's convolutions, which are tuned at run time, and where they are slow or
//! leave the maps in another memory order, what is faster.

mod backend;
mod fusion;
mod maps;
mod pointwise;
mod unit;
