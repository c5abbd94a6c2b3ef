//! The Barlow Twins loss (Zbontar et al., 2021, arXiv 2103.03230): a differentiable scalar from the embeddings of two views.
//!
//! Independent of models, images and training: it takes two `[N, D]` tensors of any Burn backend and returns a loss.
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
//! // Embeddings of the same 32 images under two distortions, the raw output of the projector, not normalised.
//! let z_a = Tensor::<Backend, 2>::random([32, 128], Distribution::Default, &device).require_grad();
//! let z_b = Tensor::<Backend, 2>::random([32, 128], Distribution::Default, &device).require_grad();
//!
//! let criterion = BarlowTwinsLossConfig::new().with_lambda(0.0051).init();
//! let output = criterion.forward(z_a.clone(), z_b);
//! let gradients = output.loss.backward();
//! assert_eq!(z_a.grad(&gradients).unwrap().dims(), [32, 128]);
//! ```
//!
//! [`mod@reference`] is the specification in plain tensor operations; [`LossForm`] lists the faster ways to compute the same
//! values, [`Objective`] and [`Normalization`] the variants of the paper's tables. [`loss_floor`] is the lower bound of the loss.
//!
//! [`BarlowTwinsLoss::forward`] requires a backend with [`ops::LossOps`]: the backends that this crate has features for, and,
//! with an empty impl, a backend type of your own crate (the orphan rule allows no others). [`BarlowTwinsLoss::forward_portable`]
//! works with any backend. For a batch that is spread over processes use [`BarlowTwinsLoss::forward_with_peers`].
//!
//! The objectives of other methods are functions of embeddings for any backend: [`vicreg`](fn@vicreg), [`hsic`](fn@hsic), [`mix_bt`](fn@mix_bt),
//! [`w_mse`](fn@w_mse),
//! [`nt_xent`](fn@nt_xent) (SimCLR), [`moco_v2`], [`moco_v3`], [`byol`], [`simsiam`], [`swapped_prediction`] (SwAV), [`dino`](fn@dino) and [`sela`](fn@sela).
//! [`alignment`], [`uniformity`], [`unit_deviation`] and [`code_use`] show a collapse.

mod config;
mod cross_entropy;
mod dino;
mod floor;
mod form;
#[cfg(all(test, feature = "cpu"))]
mod golden;
mod hsic;
mod loss;
mod mix_bt;
mod moco;
mod monitors;
mod nt_xent;
pub mod ops;
mod output;
mod peers;
pub mod reference;
mod rows;
mod sela;
mod siamese;
mod swav;
mod variants;
mod vicreg;
mod w_mse;

pub use config::{BarlowTwinsLossConfig, LossConfigError, LossForm, Normalization, Objective};
pub use cross_entropy::{cross_entropy, top1};
pub use dino::{dino, dino_centre};
pub use floor::{loss_floor, loss_start};
pub use hsic::{HsicOutput, hsic};
pub use loss::BarlowTwinsLoss;
pub use mix_bt::{MixBtConfig, MixBtForm, MixBtOutput, Mixture, mix_bt};
pub use moco::{ContrastOutput, moco_v2, moco_v3};
pub use monitors::{alignment, uniformity, unit_deviation};
pub use nt_xent::{NtXentOutput, nt_xent};
pub use output::BarlowTwinsOutput;
pub use peers::Peers;
pub use rows::unit_rows;
pub use sela::{SelaConfig, SelaLabels, SelaScores, sela, sela_labels};
pub use siamese::{byol, simsiam};
pub use swav::{CodeUse, SinkhornConfig, code_use, sinkhorn, swapped_prediction};
pub use vicreg::{VicRegConfig, VicRegOutput, vicreg, vicreg_takes_gram};
pub use w_mse::{w_mse, whiten};

/// The README's Rust code, compiled with the documentation's examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
