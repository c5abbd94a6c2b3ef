//! Test suite of the loss for any backend, and its inputs. A test binary instantiates it with [`suite!`].

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod double;
pub mod edges;
pub mod goldens;
pub mod inputs;
pub mod parity;
pub mod peers;
pub mod properties;
pub mod refusals;
pub mod variants;

use barlow_loss::ops::LossOps;
use barlow_loss::{BarlowTwinsLossConfig, BarlowTwinsOutput, LossForm};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{FloatDType, Tensor};
use inputs::Host;

/// The forms that compute the default objective.
pub const FORMS: [LossForm; 4] = [LossForm::Auto, LossForm::Reference, LossForm::Direct, LossForm::Gram];

/// A backend under test.
pub trait Tested: AutodiffBackend<InnerBackend: LossOps> + LossOps {}

impl<T: AutodiffBackend<InnerBackend: LossOps> + LossOps> Tested for T {}

/// All results of one loss evaluation, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub loss: f32,
    pub invariance: f32,
    pub redundancy_reduction: f32,
    pub diagonal_mean: f32,
    pub diagonal_std: f32,
    pub off_diagonal_rms: f32,
    pub gradients: [Vec<f32>; 2],
}

/// The default settings with this form.
pub fn config(form: LossForm) -> BarlowTwinsLossConfig {
    BarlowTwinsLossConfig::new().with_form(form)
}

/// Computes the loss and the gradients of both views.
pub fn run<T: Tested>(config: &BarlowTwinsLossConfig, [a, b]: [&Host; 2], device: &T::Device) -> Outcome {
    let (a, b) = (a.to::<T>(device).require_grad(), b.to::<T>(device).require_grad());
    let out = config.init().forward(a.clone(), b.clone());
    outcome(out, [a, b])
}

/// Reads all results to the host; `z` are the tracked embeddings.
pub fn outcome<T: AutodiffBackend>(out: BarlowTwinsOutput<T>, z: [Tensor<T, 2>; 2]) -> Outcome {
    let gradients = out.loss.backward();
    Outcome {
        loss: scalar(out.loss),
        invariance: scalar(out.invariance),
        redundancy_reduction: scalar(out.redundancy_reduction),
        diagonal_mean: scalar(out.diagonal_mean),
        diagonal_std: scalar(out.diagonal_std),
        off_diagonal_rms: scalar(out.off_diagonal_rms),
        gradients: z.map(|z| values(z.grad(&gradients).expect("a gradient for every tracked view"))),
    }
}

/// The loss without gradients.
pub fn loss<T: Tested>(form: LossForm, [a, b]: [&Host; 2], device: &T::Device) -> f64 {
    let (a, b) = (a.to::<T>(device), b.to::<T>(device));
    f64::from(scalar(config(form).init().forward(a, b).loss))
}

/// Every reading, by name.
pub fn readings<B: Backend>(out: BarlowTwinsOutput<B>) -> [(&'static str, f32); 6] {
    [
        ("loss", scalar(out.loss)),
        ("invariance", scalar(out.invariance)),
        ("redundancy reduction", scalar(out.redundancy_reduction)),
        ("diagonal mean", scalar(out.diagonal_mean)),
        ("diagonal std", scalar(out.diagonal_std)),
        ("off-diagonal rms", scalar(out.off_diagonal_rms)),
    ]
}

pub fn scalar<B: Backend>(x: Tensor<B, 1>) -> f32 {
    values(x)[0]
}

/// The values of a tensor of any rank and float type.
pub fn values<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    x.cast(FloatDType::F32).into_data().to_vec().unwrap()
}

/// ‖got − expected‖ / ‖expected‖, or ‖got‖ where that is zero.
pub fn relative_error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(
        &mut got
            .iter()
            .zip(expected)
            .map(|(&got, expected)| f64::from(got) - expected),
    );
    let size = norm(&mut expected.iter().copied());
    if size == 0.0 { error } else { error / size }
}

/// Asserts |got − expected| ≤ tolerance.
pub fn assert_near(got: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (got - expected).abs() <= tolerance,
        "{what}: {got}, expected {expected} ± {tolerance}"
    );
}

/// Instantiates the whole suite for an autodiff backend, on the device returned by `$device`.
#[macro_export]
macro_rules! suite {
    ($backend:ty, $device:expr) => {
        $crate::suite!(@ $backend, $device, parity:
            the_goldens_of_torch the_same_in_64_bits very_wide_embeddings the_forms_agree the_portable_entry_agrees one_tracked_view_alone
            other_weights);
        $crate::suite!(@ $backend, $device, properties:
            affine_maps_of_a_view_change_nothing swapping_the_views_changes_nothing
            permuting_the_batch_changes_nothing permuting_the_features_changes_nothing
            decorrelated_identical_views_cost_nothing identical_views_respect_the_floor
            unrelated_embeddings_start_at_the_expected_value scale_and_lambda_enter_where_they_should
            gradients_agree_with_finite_differences a_dead_dimension_has_a_finite_gradient
            one_dimension_has_no_redundancy);
        $crate::suite!(@ $backend, $device, edges:
            views_into_larger_tensors_are_read_right
            half_precision_input_is_computed_in_single_precision a_large_offset_costs_little
            not_a_number_stays_not_a_number);
        $crate::suite!(@ $backend, $device, variants:
            every_variant_agrees_with_its_formula gradients_of_variants_agree_with_finite_differences
            not_a_number_stays_not_a_number_in_variants one_feature_in_every_variant);
        $crate::suite!(@ $backend, $device, peers:
            any_number_of_peers_gives_the_same shapes_at_fault_on_one_peer_stop_them_all);
        $crate::suite!(@ $backend, $device, refusals:
            shapes_that_do_not_fit_are_named);
    };
    (@ $backend:ty, $device:expr, $module:ident: $($check:ident)*) => {
        $(#[test] fn $check() { common::$module::$check::<$backend>(&$device); })*
    };
}
