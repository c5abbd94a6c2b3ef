//! The Barlow Twins loss (Zbontar et al., 2021, arXiv 2103.03230): embeddings of two views to a scalar with gradients.
//!
//! Knows nothing of models, images or training: it takes two `[N, D]` tensors of any Burn backend and gives a loss.
//!
//! ```text
//! C = standardise(z_a)ᵀ · standardise(z_b) / N                        [D, D]
//! loss = scale · ( Σ_i (1 − c_ii)²  +  lambda · Σ_{i≠j} c_ij² )
//!                  invariance           redundancy reduction
//! ```
//!
#![cfg_attr(feature = "cpu", doc = "```")]
#![cfg_attr(not(feature = "cpu"), doc = "```ignore")]
//! use barlow_loss::BarlowTwinsLossConfig;
//! use burn::{backend::Autodiff, tensor::{Distribution, Tensor}};
//!
//! type Backend = Autodiff<burn_flex::Flex>;
//! let device = Default::default();
//!
//! // Embeddings of the same 32 images under two distortions, straight from the projector: no normalisation before.
//! let z_a = Tensor::<Backend, 2>::random([32, 128], Distribution::Default, &device).require_grad();
//! let z_b = Tensor::<Backend, 2>::random([32, 128], Distribution::Default, &device).require_grad();
//!
//! let criterion = BarlowTwinsLossConfig::new().with_lambda(0.0051).init();
//! let output = criterion.forward(z_a.clone(), z_b);
//! let gradients = output.loss.backward();
//! assert_eq!(z_a.grad(&gradients).unwrap().dims(), [32, 128]);
//! ```
//!
//! [`mod@reference`] is the specification in plain tensor operations; [`LossForm`] names the faster ways to the same numbers,
//! [`Objective`] and [`Normalization`] the variants of the paper's tables. [`loss_floor`] tells how low the loss can get.
//!
//! [`BarlowTwinsLoss::forward`] wants a backend with [`ops::LossOps`]: those that this crate has features for, and by an empty impl a
//! backend type of your own crate (the orphan rule allows no other). [`BarlowTwinsLoss::forward_portable`] takes any backend as it is. A batch that is spread over processes goes through
//! [`BarlowTwinsLoss::forward_with_peers`].

mod config;
mod floor;
mod form;
mod loss;
pub mod ops;
mod output;
mod peers;
pub mod reference;
mod variants;
mod vicreg;

pub use config::{BarlowTwinsLossConfig, LossConfigError, LossForm, Normalization, Objective};
pub use floor::{loss_floor, loss_start};
pub use loss::BarlowTwinsLoss;
pub use output::BarlowTwinsOutput;
pub use peers::Peers;
pub use vicreg::{VicRegConfig, VicRegOutput, vicreg, vicreg_takes_gram};

/// The README's Rust code, compiled with the documentation's examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
