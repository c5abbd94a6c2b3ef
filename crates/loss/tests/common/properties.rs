//! Tests of mathematical properties of the loss: invariances, known values, finite gradients.

use barlow_loss::{BarlowTwinsLossConfig, Objective, loss_floor, loss_start};

use super::inputs::{Host, formula_pair, views};
use super::{FORMS, Tested, assert_near, config, loss, parity, run, scalar};

pub fn affine_maps_of_a_view_change_nothing<T: Tested>(device: &T::Device) {
    for [n, d] in [[24, 40], [40, 24]] {
        let x = Host::normal(n, d, 1);
        let doubled = x.map(|_, x| 2.0 * x + 4.0);
        // Also separately for each feature: this is what "the views are standardised separately" means.
        let mixed = x.map(|j, x| (0.5 + 0.1 * j as f32) * x + 5.0 * (3.0 * j as f32).sin());
        for form in FORMS {
            let reference = loss::<T>(form, [&x, &x], device);
            for other in [&doubled, &mixed] {
                let got = loss::<T>(form, [&x, other], device);
                assert_near(got, reference, 1e-4 * reference, &format!("{n} x {d} {form:?}"));
            }
        }
    }
}

pub fn swapping_the_views_changes_nothing<T: Tested>(device: &T::Device) {
    let [a, b] = formula_pair(7, 5);
    for form in FORMS {
        let swapped = loss::<T>(form, [&b, &a], device);
        assert_near(loss::<T>(form, [&a, &b], device), swapped, 1e-6, "swapped");
    }
}

pub fn permuting_the_batch_changes_nothing<T: Tested>(device: &T::Device) {
    let [a, b] = [2, 3].map(|seed| Host::normal(6, 9, seed));
    let permuted = |host: &Host| Host {
        values: [4, 0, 5, 2, 1, 3]
            .iter()
            .flat_map(|&row| host.values[row * 9..][..9].to_vec())
            .collect(),
        ..*host
    };
    for form in FORMS {
        let before = loss::<T>(form, [&a, &b], device);
        let both = loss::<T>(form, [&permuted(&a), &permuted(&b)], device);
        assert_near(both, before, 1e-5 * before, "both views");
        // Permuting only one view breaks the pairs, which must change the loss.
        assert!((loss::<T>(form, [&permuted(&a), &b], device) - before).abs() > 1e-2 * before);
    }
}

pub fn permuting_the_features_changes_nothing<T: Tested>(device: &T::Device) {
    let [a, b] = views(12, 31, 4);
    // 7 and 31 have no common divisor.
    let permuted = |host: &Host| Host {
        values: (0..12 * 31)
            .map(|k| host.values[k / 31 * 31 + k % 31 * 7 % 31])
            .collect(),
        ..*host
    };
    for form in FORMS {
        let before = run::<T>(&config(form), [&a, &b], device);
        let after = run::<T>(&config(form), [&permuted(&a), &permuted(&b)], device);
        let mut expected = before.clone();
        for gradient in &mut expected.gradients {
            let host = Host {
                n: 12,
                d: 31,
                values: gradient.clone(),
            };
            *gradient = permuted(&host).values;
        }
        parity::same(&after, &expected, 1e-5, &format!("{form:?}"));
    }
}

pub fn decorrelated_identical_views_cost_nothing<T: Tested>(device: &T::Device) {
    // The columns of a Hadamard matrix of order 4 except the first: mean 0, variance 1, orthogonal.
    let values = vec![1., 1., 1., -1., 1., -1., 1., -1., -1., -1., -1., 1.];
    let z = Host { n: 4, d: 3, values };
    for form in FORMS {
        let out = run::<T>(&config(form), [&z, &z], device);
        assert_near(f64::from(out.loss), 0.0, 1e-8, "loss");
        assert_near(f64::from(out.diagonal_mean), 1.0, 2e-5, "mean of the diagonal");
        assert_near(f64::from(out.diagonal_std), 0.0, 1e-3, "spread of the diagonal");
        // The gram form subtracts values near 3.
        assert_near(f64::from(out.off_diagonal_rms), 0.0, 1e-3, "off-diagonal rms");
    }
}

pub fn identical_views_respect_the_floor<T: Tested>(device: &T::Device) {
    for (n, d) in [(16, 64), (32, 31), (5, 200)] {
        let z = Host::normal(n, d, 4);
        for form in FORMS {
            let criterion = config(form).with_scale(0.5).init();
            let out = criterion.forward(z.to::<T>(device), z.to::<T>(device));
            let loss = f64::from(scalar(out.loss));
            assert_near(f64::from(scalar(out.invariance)), 0.0, 1e-6 * d as f64, "invariance");
            let floor = 0.5 * loss_floor(n, d, 0.0051).unwrap();
            assert_eq!(criterion.floor(n, d), Some(floor));
            assert!(loss >= floor * (1.0 - 1e-6));
            let over = criterion.over_floor(loss, n, d);
            assert_eq!(over, (floor > 0.0).then(|| loss / floor));
        }
    }
}

pub fn unrelated_embeddings_start_at_the_expected_value<T: Tested>(device: &T::Device) {
    for (n, d) in [(64, 256), (128, 300), (300, 64)] {
        let [a, b] = [5, 6].map(|seed| Host::normal(n, d, seed));
        for form in FORMS {
            let out = config(form).init().forward(a.to::<T>(device), b.to::<T>(device));
            let expected = loss_start(n, d, 0.0051);
            assert_near(f64::from(scalar(out.loss)), expected, 0.06 * expected, "loss");
            let chance = 1.0 / ((n - 1) as f64).sqrt();
            assert_near(f64::from(scalar(out.off_diagonal_rms)), chance, 0.03 * chance, "rms");
            assert_near(f64::from(scalar(out.diagonal_mean)), 0.0, 0.03, "mean");
            assert_near(f64::from(scalar(out.diagonal_std)), chance, 0.3 * chance, "spread");
        }
    }
}

pub fn scale_and_lambda_enter_where_they_should<T: Tested>(device: &T::Device) {
    let [a, b] = formula_pair(7, 5);
    for form in FORMS {
        let plain = run::<T>(&config(form), [&a, &b], device);
        let scaled = run::<T>(&config(form).with_lambda(0.5).with_scale(0.024), [&a, &b], device);
        assert_eq!(plain.invariance, scaled.invariance);
        assert_eq!(plain.redundancy_reduction, scaled.redundancy_reduction);
        let expected = 0.024 * (plain.invariance + 0.5 * plain.redundancy_reduction);
        assert_near(f64::from(scaled.loss), f64::from(expected), 1e-6, "loss");
    }
}

pub fn gradients_agree_with_finite_differences<T: Tested>(device: &T::Device) {
    for [n, d] in [[6, 4], [4, 9]] {
        let [a, b] = [7, 8].map(|seed| Host::normal(n, d, seed));
        for form in FORMS {
            // Lambda is large enough that a lost factor of 2 in the redundancy term exceeds the tolerance.
            let config = config(form).with_lambda(0.5);
            let tolerance = 2e-3;
            let share = run::<T>(&config.clone().with_objective(Objective::Redundancy), [&a, &b], device).gradients;
            for share in share {
                assert!(
                    share.iter().any(|g| f64::from(g.abs()) / 2.0 > 10.0 * tolerance),
                    "{n} x {d}: {share:?}"
                );
            }
            finite_differences::<T>(&config, [&a, &b], tolerance, device);
        }
    }
}

/// Compares the gradients of both views with central differences.
pub fn finite_differences<T: Tested>(
    config: &BarlowTwinsLossConfig,
    hosts: [&Host; 2],
    tolerance: f64,
    device: &T::Device,
) {
    let step = 1e-2f32;
    let gradients = run::<T>(config, hosts, device).gradients;
    let value = |view: usize, k: usize, by: f32| {
        let mut moved = hosts.map(Host::clone);
        moved[view].values[k] += by;
        let [a, b] = moved.map(|host| host.to::<T>(device));
        f64::from(scalar(config.init().forward(a, b).loss))
    };
    for (view, gradient) in gradients.iter().enumerate() {
        for (k, &got) in gradient.iter().enumerate() {
            let numeric = (value(view, k, step) - value(view, k, -step)) / f64::from(2.0 * step);
            let what = format!("{config:?} gradient[{k}] of view {view}");
            assert_near(f64::from(got), numeric, tolerance, &what);
        }
    }
}

pub fn a_dead_dimension_has_a_finite_gradient<T: Tested>(device: &T::Device) {
    for [n, d] in [[8, 5], [8, 20]] {
        let dead = Host::normal(n, d, 9).map(|j, x| if j == 2 { 0.25 } else { x });
        let b = Host::normal(n, d, 10);
        for form in FORMS {
            let out = run::<T>(&config(form), [&dead, &b], device);
            assert!(out.loss.is_finite());
            assert!(out.gradients.iter().flatten().all(|g| g.is_finite()), "{form:?}");
        }
    }
}

pub fn one_dimension_has_no_redundancy<T: Tested>(device: &T::Device) {
    let [a, b] = [11, 12].map(|seed| Host::normal(5, 1, seed));
    for form in FORMS {
        let out = run::<T>(&config(form), [&a, &b], device);
        assert_near(f64::from(out.redundancy_reduction), 0.0, 1e-7, "redundancy reduction");
        assert_near(f64::from(out.off_diagonal_rms), 0.0, 4e-4, "rms");
        assert_near(f64::from(out.loss), f64::from(out.invariance), 1e-7, "loss");
        assert!(out.gradients.iter().flatten().all(|g| g.is_finite()));
    }
}
