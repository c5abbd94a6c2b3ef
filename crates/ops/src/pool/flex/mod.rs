//! Pooling on the CPU backend, parallel over feature maps. Element types other than f32, and windows with too many pixels for
//! 8-bit positions, use the [reference](super::reference).

mod max;
mod mean;
mod ops;
#[cfg(test)]
mod raw_kernels;
#[cfg(test)]
mod tests;
