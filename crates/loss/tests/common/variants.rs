//! Tests of the variants of the paper's tables: against their formulas as f64 loops, and their gradients.

use barlow_loss::{BarlowTwinsLossConfig, LossForm, Normalization, Objective};

use super::edges::nothing_hides_it;
use super::inputs::{Host, views};
use super::properties::finite_differences;
use super::{Tested, assert_near, run};

const OBJECTIVES: [Objective; 5] = [
    Objective::BarlowTwins,
    Objective::Invariance,
    Objective::Redundancy,
    Objective::CrossEntropy,
    Objective::AutoCorrelation,
];
const NORMALIZATIONS: [Normalization; 3] = [Normalization::Batch, Normalization::Feature, Normalization::None];

fn all() -> impl Iterator<Item = BarlowTwinsLossConfig> {
    let pairs = OBJECTIVES.into_iter().flat_map(|o| NORMALIZATIONS.map(|n| (o, n)));
    pairs.map(|(objective, normalization)| {
        BarlowTwinsLossConfig::new()
            .with_lambda(0.3)
            .with_scale(0.5)
            .with_temperature(0.2)
            .with_objective(objective)
            .with_normalization(normalization)
    })
}

pub fn every_variant_agrees_with_its_formula<T: Tested>(device: &T::Device) {
    for [n, d] in [[9, 6], [5, 17]] {
        let [a, b] = views(n, d, 21);
        for config in all() {
            let expected = by_formula(&config, &a, &b);
            let got = run::<T>(&config, [&a, &b], device);
            assert_near(
                f64::from(got.loss),
                expected,
                1e-5 * expected.abs().max(1.0),
                &format!("{config:?}"),
            );
            if config.validate().is_ok() && config.clone().with_form(LossForm::Gram).validate().is_ok() {
                for form in [LossForm::Direct, LossForm::Gram, LossForm::Reference] {
                    let got = run::<T>(&config.clone().with_form(form), [&a, &b], device);
                    assert_near(
                        f64::from(got.loss),
                        expected,
                        1e-5 * expected.abs().max(1.0),
                        &format!("{form:?}"),
                    );
                }
            }
            let defined = config.objective == Objective::BarlowTwins && config.normalization == Normalization::Batch;
            assert_eq!(config.init().floor(n, d).is_some(), defined);
        }
    }
}

fn by_formula(config: &BarlowTwinsLossConfig, a: &Host, b: &Host) -> f64 {
    let (n, d) = (a.n, a.d);
    let (a, b) = (normalise(config, a), normalise(config, b));
    let divisor = if config.normalization == Normalization::Feature {
        1.0
    } else {
        n as f64
    };
    let dot =
        |x: &[f64], y: &[f64], i: usize, j: usize| (0..n).map(|r| x[r * d + i] * y[r * d + j]).sum::<f64>() / divisor;
    let pairs = || (0..d).flat_map(|i| (0..d).filter(move |&j| j != i).map(move |j| (i, j)));
    let invariance: f64 = (0..d).map(|i| (1.0 - dot(&a, &b, i, i)).powi(2)).sum();
    let redundancy = |x: &[f64], y: &[f64]| pairs().map(|(i, j)| dot(x, y, i, j).powi(2)).sum::<f64>();
    let lambda = config.lambda;
    let tau = config.temperature;
    config.scale
        * match config.objective {
            Objective::BarlowTwins => invariance + lambda * redundancy(&a, &b),
            Objective::Invariance => invariance,
            Objective::Redundancy => lambda * redundancy(&a, &b),
            Objective::AutoCorrelation => invariance + lambda * redundancy(&a, &a),
            Objective::CrossEntropy => {
                let on: f64 = (0..d).map(|i| (dot(&a, &b, i, i) / tau).exp()).sum();
                let off: f64 = pairs().map(|(i, j)| (dot(&a, &b, i, j).max(0.0) / tau).exp()).sum();
                -on.ln() + lambda * off.ln()
            }
        }
}

fn normalise(config: &BarlowTwinsLossConfig, z: &Host) -> Vec<f64> {
    let (n, d) = (z.n, z.d);
    let mut z = z.doubles();
    for j in 0..d {
        let mean = (0..n).map(|r| z[r * d + j]).sum::<f64>() / n as f64;
        let variance = (0..n).map(|r| (z[r * d + j] - mean).powi(2)).sum::<f64>() / n as f64;
        let divisor = if config.normalization == Normalization::None {
            1.0
        } else {
            (variance + config.epsilon).sqrt()
        };
        (0..n).for_each(|r| z[r * d + j] = (z[r * d + j] - mean) / divisor);
    }
    if config.normalization == Normalization::Feature {
        for row in z.chunks_mut(d) {
            let length = (row.iter().map(|x| x * x).sum::<f64>() + config.epsilon).sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
    }
    z
}

pub fn gradients_of_variants_agree_with_finite_differences<T: Tested>(device: &T::Device) {
    let [a, b] = views(6, 5, 22);
    for config in all() {
        finite_differences::<T>(&config, [&a, &b], 3e-3, device);
    }
}

pub fn not_a_number_stays_not_a_number_in_variants<T: Tested>(device: &T::Device) {
    let [mut a, b] = views(6, 5, 23);
    a.values[7] = f32::NAN;
    for config in all() {
        nothing_hides_it::<T>(&config, [&a, &b], device);
    }
}

pub fn one_feature_in_every_variant<T: Tested>(device: &T::Device) {
    let [a, b] = views(6, 1, 24);
    for config in all() {
        let out = run::<T>(&config, [&a, &b], device);
        assert!(
            out.loss.is_finite() && out.gradients.iter().flatten().all(|g| g.is_finite()),
            "{config:?}"
        );
    }
}
