//! Convolution on the CPU backend: direct convolution in registers, parallel over images, rows and channels.
//!
//! A task packs its part of the input so that channels are adjacent (`blocked`, `packing`), multiplies tiles of positions by
//! tiles of output channels (`conv_kernel`, `weight_grad_kernel`), where a kernel tap is just another address to read from
//! (`axis`, `plan`), and unpacks its part of the output. A convolution of one tap without padding and its input gradient are matrix
//! products (`pointwise`, `product_kernel`) on the planes as they are. There is no im2col matrix, and padding is skipped where it would be a
//! large part of the work. Element types other than f32 use Burn's ops. Results depend on the shapes and the CPU's vector
//! instructions, not on the number of threads or their scheduling.

mod axis;
mod blocked;
mod buffers;
mod conv_kernel;
mod correlate;
mod correlation;
#[cfg(test)]
mod definition;
mod direct;
mod ops;
mod packing;
mod plan;
mod pointwise;
mod product_kernel;
#[cfg(test)]
mod raw_kernels;
mod shape;
#[cfg(test)]
mod tests;
mod tiles;
mod transform;
mod vectors;
mod weight_grad_kernel;
mod weight_grad_tasks;
mod weight_gradient;
mod weights;
mod winograd;
