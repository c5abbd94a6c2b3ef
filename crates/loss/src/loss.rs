//! The public loss type: selects the form and converts its inputs and outputs. The arithmetic is in the forms
//! ([`crate::reference`], [`crate::ops`]) and in the variants.

use burn::module::Module;
use burn::tensor::{FloatDType, Tensor, backend::Backend};

use crate::ops::{LossOps, Product, forms, portable_correlation_sums};
use crate::output::BarlowTwinsOutput;
use crate::reference::{self, Terms};
use crate::variants::Variant;
use crate::{BarlowTwinsLossConfig, LossForm, Normalization, Objective, loss_floor};

/// The Barlow Twins loss, created by [`BarlowTwinsLossConfig::init`].
///
/// It has no state and no parameters. N and D are read from the tensors, so a smaller last batch is handled correctly.
#[derive(Module, Clone, Debug)]
pub struct BarlowTwinsLoss {
    #[module(skip)]
    pub(crate) config: BarlowTwinsLossConfig,
}

impl BarlowTwinsLossConfig {
    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// If a setting is out of range, with the message of [`LossConfigError`](crate::LossConfigError); see [`Self::validate`].
    pub fn init(&self) -> BarlowTwinsLoss {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        BarlowTwinsLoss { config: self.clone() }
    }
}

impl BarlowTwinsLoss {
    /// Loss of two batches of embeddings; row k of both comes from image k.
    ///
    /// The views are normalised here, each with its own batch mean and biased variance, and the gradient flows through
    /// both statistics: pass the raw output of the projector. The computation is in f32 for every input type. The fused forms
    /// have no second derivatives; [`Self::forward_portable`] has.
    ///
    /// Gradients are cast back to the type of the input. f16 loses precision below 6e-5 and underflows to 0 below 3e-8. Gradients
    /// for large N or embeddings with a large deviation can be that small: increase `scale`, or cast to f32 first. bf16 has the
    /// range of f32, and three digits.
    ///
    /// # Shapes
    ///
    /// - z_a, z_b: `[N, D]`
    /// - every output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ, N < 2 or D = 0; the message contains both shapes.
    pub fn forward<B: LossOps>(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B> {
        let [n, d] = reference::check_shapes(z_a.dims(), z_b.dims());
        let product = match self.form(n, d, B::largest_buffer(&z_a.device())).0 {
            LossForm::Auto | LossForm::Reference => return self.output(self.variant().terms(z_a, z_b), d),
            LossForm::Direct => Product::Direct,
            LossForm::Gram => Product::Gram,
        };
        let z = [z_a, z_b].map(|z| forms::unwrap(z.cast(FloatDType::F32)));
        let sums = B::terms_forward(product, z, self.config.epsilon, false).sums;
        self.output(Terms::packed(forms::wrap(sums)), d)
    }

    /// [`Self::forward`] for any backend, with Burn's own operations and gradients: the same values up to rounding, with
    /// more passes over memory.
    ///
    /// `Auto` compares only the number of operations here, because the buffer limit is known only through [`LossOps`]. If the
    /// square matrix of that form exceeds the device's limit, select the other form by name.
    ///
    /// # Shapes
    ///
    /// - z_a, z_b: `[N, D]`
    /// - every output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ, N < 2 or D = 0; the message contains both shapes.
    pub fn forward_portable<B: Backend>(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B> {
        let [n, d] = reference::check_shapes(z_a.dims(), z_b.dims());
        let (form, _) = self.form(n, d, None);
        if matches!(form, LossForm::Auto | LossForm::Reference) {
            return self.output(self.variant().terms(z_a, z_b), d);
        }
        let [a, b] = [z_a, z_b].map(|z| reference::standardise(z, self.config.epsilon));
        let sums = if form == LossForm::Gram {
            let diagonal = (a.clone() * b.clone()).mean_dim(0);
            forms::gram_sums(
                diagonal,
                forms::gram_squares(&forms::gram(a), &forms::gram(b), n as f64),
            )
        } else {
            let c = a.transpose().matmul(b.div_scalar(n as f64));
            forms::wrap(portable_correlation_sums::<B>(forms::unwrap(c)))
        };
        self.output(Terms::packed(sums), d)
    }

    /// The settings of the loss.
    pub fn config(&self) -> &BarlowTwinsLossConfig {
        &self.config
    }

    /// λ, the weight of the redundancy reduction term.
    pub fn lambda(&self) -> f64 {
        self.config.lambda
    }

    /// The factor of the whole loss.
    pub fn scale(&self) -> f64 {
        self.config.scale
    }

    /// The lowest value that [`BarlowTwinsOutput::loss`] can have for N pairs of D features: [`loss_floor`] times the scale.
    /// `None` where no bound is known: λ above 1, or a non-default objective or normalisation.
    pub fn floor(&self, n: usize, d: usize) -> Option<f64> {
        let config = &self.config;
        if config.objective != Objective::BarlowTwins || config.normalization != Normalization::Batch {
            return None;
        }
        loss_floor(n, d, config.lambda).map(|floor| floor * config.scale)
    }

    /// The ratio of a loss value read from the device to [`Self::floor`]: 1 is the best possible value. `None` if the floor is
    /// unknown or zero (D < N).
    pub fn over_floor(&self, loss: f64, n: usize, d: usize) -> Option<f64> {
        self.floor(n, d).filter(|&floor| floor > 0.0).map(|floor| loss / floor)
    }

    /// The gradients of `loss` with respect to both terms.
    pub(crate) fn weights(&self) -> [f64; 2] {
        self.config
            .objective
            .weights(self.config.lambda)
            .map(|weight| weight * self.config.scale)
    }

    pub(crate) fn variant(&self) -> Variant {
        Variant {
            normalization: self.config.normalization,
            objective: self.config.objective,
            temperature: self.config.temperature,
            epsilon: self.config.epsilon,
        }
    }

    pub(crate) fn output<B: Backend>(&self, terms: Terms<B>, d: usize) -> BarlowTwinsOutput<B> {
        BarlowTwinsOutput::new(self.weighted(&terms), terms, d)
    }

    /// The loss of these terms.
    pub(crate) fn weighted<B: Backend>(&self, terms: &Terms<B>) -> Tensor<B, 1> {
        let [invariance, redundancy] = self.weights();
        terms.invariance.clone().mul_scalar(invariance) + terms.redundancy_reduction.clone().mul_scalar(redundancy)
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use crate::BarlowTwinsLossConfig;
    use crate::LossForm;
    use crate::golden::{assert_golden, inputs, leaves};

    /// The paper's table of asymmetric variants: a gradient into one branch only.
    #[test]
    fn a_view_without_a_gradient_changes_that_of_no_other() {
        for form in [LossForm::Reference, LossForm::Direct, LossForm::Gram] {
            let loss = BarlowTwinsLossConfig::new().with_lambda(0.0051).with_form(form).init();
            for ((n, d), expected, norm) in [
                ((4, 3), 0.726565447583, 2.199769005785),
                ((8, 16), 0.668515457928, 1.925222366453e-1),
            ] {
                let [a, b] = leaves([inputs::za(n, d), inputs::zb(n, d)]);
                let found = loss.forward(a.clone(), b.detach()).loss;
                assert_golden(&format!("{form:?}, {n} x {d}"), found, expected, &[a], &[norm]);
            }
        }
    }
}
