//! Pooling on the CPU backend, parallel over feature maps. Element types other than f32, and windows of so many pixels that a byte
//! cannot number them, use the [reference](super::reference).

mod max;
mod mean;
mod ops;
#[cfg(test)]
mod raw_kernels;
#[cfg(test)]
mod tests;
