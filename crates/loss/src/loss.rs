//! The public loss: which form runs, what comes out. The arithmetic lives in the forms ([`crate::reference`]).

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use crate::{LossForm, reference};

/// The Barlow Twins loss; made by [`BarlowTwinsLossConfig::init`](crate::BarlowTwinsLossConfig::init).
///
/// It has no state and no parameters: N and D are read from the tensors, so a last, smaller batch is treated right.
#[derive(Module, Clone, Debug)]
pub struct BarlowTwinsLoss {
    pub(crate) lambda: f64,
    pub(crate) scale: f64,
    pub(crate) epsilon: f64,
    #[module(skip)]
    pub(crate) form: LossForm,
}

/// What the loss gives: the scalar to differentiate, its two terms, and two readings of the cross-correlation matrix C.
///
/// Everything is `[1]`, 32-bit float, and still on the device: read it when it is logged, not every step.
#[derive(Clone, Debug)]
pub struct BarlowTwinsOutput<B: Backend> {
    /// `scale · (invariance + lambda · redundancy_reduction)`.
    pub loss: Tensor<B, 1>,
    /// Σ (1 − c_ii)², without `scale`.
    pub invariance: Tensor<B, 1>,
    /// Σ_{i≠j} c_ij², without `lambda` and without `scale`.
    pub redundancy_reduction: Tensor<B, 1>,
    /// Mean of the diagonal of C: 0 for unrelated views, 1 for identical ones. Carries no gradient.
    pub diagonal_mean: Tensor<B, 1>,
    /// Root mean square of the off-diagonal of C; 1/√(N−1) is the level of chance. 0 for D = 1. Carries no gradient.
    pub off_diagonal_rms: Tensor<B, 1>,
}

impl BarlowTwinsLoss {
    /// Loss of two batches of embeddings; row k of both comes from image k.
    ///
    /// The views are standardised here, each by its own batch mean and biased variance, and the gradient flows through
    /// both statistics; pass what the projector gives. The computation is 32-bit float whatever the input.
    ///
    /// # Shapes
    ///
    /// - z_a, z_b: `[N, D]`
    /// - every output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ, N < 2 or D = 0; the text names both shapes.
    pub fn forward<B: Backend>(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B> {
        let [n, d] = reference::check_shapes(z_a.dims(), z_b.dims());
        let terms = match self.form(n, d).0 {
            LossForm::Auto | LossForm::Reference => reference::terms(z_a, z_b, self.epsilon),
        };
        self.output(terms, d)
    }

    /// The form that [`Self::forward`] takes for this shape (never `Auto`), and why.
    pub fn form(&self, _n: usize, _d: usize) -> (LossForm, &'static str) {
        match self.form {
            LossForm::Auto => (LossForm::Reference, "it is the only form so far"),
            LossForm::Reference => (LossForm::Reference, "asked for by name"),
        }
    }

    /// λ, the weight of the redundancy reduction term.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// The factor on the whole loss.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    fn output<B: Backend>(&self, terms: reference::Terms<B>, d: usize) -> BarlowTwinsOutput<B> {
        let reference::Terms {
            invariance,
            redundancy_reduction,
            diagonal_mean,
        } = terms;
        let weighted = redundancy_reduction.clone().mul_scalar(self.lambda);
        // Detached first: the root's slope at 0 is infinite, and a reading must not touch the gradient.
        let pairs = (d * (d - 1)).max(1) as f64;
        let off_diagonal_rms = redundancy_reduction.clone().detach().div_scalar(pairs).sqrt();
        BarlowTwinsOutput {
            loss: (invariance.clone() + weighted).mul_scalar(self.scale),
            invariance,
            redundancy_reduction,
            diagonal_mean: diagonal_mean.detach(),
            off_diagonal_rms,
        }
    }
}
