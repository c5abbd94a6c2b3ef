//! Every form and variant of the loss, compared with the reference form.

use super::values::{By, Measured, Values, noise};
use crate::backend::TrainBackend;
use crate::evaluation::to_host;
use barlow_loss::{BarlowTwinsLossConfig, LossForm, Normalization, Objective};
use burn::tensor::Tensor;

/// Sums of N·D² products in f32, in another order.
pub(super) const BOUND: f64 = 1e-4;

/// Form, objective, normalisation, N and D.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossCase(LossForm, Objective, Normalization, usize, usize);

pub(super) const ALL: [LossCase; 10] = [
    LossCase(
        LossForm::Reference,
        Objective::BarlowTwins,
        Normalization::Batch,
        16,
        24,
    ),
    LossCase(LossForm::Direct, Objective::BarlowTwins, Normalization::Batch, 16, 24),
    // Not a multiple of any vector's width.
    LossCase(LossForm::Direct, Objective::BarlowTwins, Normalization::Batch, 19, 37),
    LossCase(LossForm::Gram, Objective::BarlowTwins, Normalization::Batch, 16, 24),
    LossCase(LossForm::Gram, Objective::Invariance, Normalization::Batch, 16, 24),
    LossCase(LossForm::Direct, Objective::Redundancy, Normalization::Batch, 16, 24),
    LossCase(LossForm::Auto, Objective::CrossEntropy, Normalization::Batch, 16, 24),
    LossCase(LossForm::Auto, Objective::AutoCorrelation, Normalization::Batch, 16, 24),
    LossCase(LossForm::Auto, Objective::BarlowTwins, Normalization::Feature, 16, 24),
    LossCase(LossForm::Auto, Objective::BarlowTwins, Normalization::None, 16, 24),
];

/// At the size of a small run.
pub(super) const LARGE: [LossCase; 2] = [
    LossCase(
        LossForm::Direct,
        Objective::BarlowTwins,
        Normalization::Batch,
        256,
        1024,
    ),
    LossCase(LossForm::Gram, Objective::BarlowTwins, Normalization::Batch, 256, 1024),
];

impl LossCase {
    pub(super) fn values<B: TrainBackend>(self, by: By, device: &B::Device) -> Values {
        let Self(form, objective, normalization, n, d) = self;
        let z_a = noise::<B, 2>([n, d], 6, device).require_grad();
        // Related, as two views are.
        let z_b = z_a.clone().inner() + noise::<B, 2>([n, d], 7, device).inner() * 0.5;
        let z_b = Tensor::<B, 2>::from_inner(z_b).require_grad();
        let form = match by {
            By::Backend => form,
            By::Definition => LossForm::Reference,
        };
        let loss = BarlowTwinsLossConfig::new()
            .with_lambda(0.05)
            .with_form(form)
            .with_objective(objective)
            .with_normalization(normalization)
            .init();
        let output = loss.forward(z_a.clone(), z_b.clone());
        let name = format!("loss, {form:?} form, {objective:?}, {normalization:?}, N {n}, D {d}");
        let gradients = output.loss.clone().backward();
        let mut values = vec![Measured::of(name.clone(), to_host(output.loss))];
        for (view, z) in [("a", z_a), ("b", z_b)] {
            if let Some(gradient) = z.grad(&gradients) {
                values.push(Measured::of(
                    format!("{name}, gradient for view {view}"),
                    to_host(gradient),
                ));
            }
        }
        values
    }
}
