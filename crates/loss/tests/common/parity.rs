//! Tests of the loss and gradients of every form against f64 references and against one another.

use barlow_loss::{BarlowTwinsLossConfig, LossForm};

use super::inputs::{Host, formula_pair, views};
use super::{FORMS, Outcome, Tested, assert_near, config, double, goldens, outcome, relative_error, run};

const LAMBDA: f64 = 0.0051;

/// Prime, square, single, wide and tall shapes; the last ones have several blocks in each dimension.
const SHAPES: [[usize; 2]; 9] = [
    [3, 7],
    [5, 1],
    [16, 16],
    [29, 13],
    [23, 31],
    [67, 521],
    [300, 211],
    [160, 700],
    [530, 600],
];

pub fn the_goldens_of_torch<T: Tested>(device: &T::Device) {
    for golden in goldens::all() {
        let (n, d) = (golden.n, golden.d);
        let [a, b] = formula_pair(n, d);
        // With two images every standardised value is ±1 and only epsilon gives a gradient; torch in f32 is off by 3e-4.
        let limit = if n == 2 { 1e-3 } else { 1e-5 };
        for form in FORMS {
            let got = run::<T>(&config(form), [&a, &b], device);
            let what = format!("{n} x {d} {form:?}");
            compare(
                &got,
                [golden.invariance, golden.redundancy_reduction],
                [golden.diagonal_mean, golden.diagonal_std],
                d,
                &what,
            );
            for (got, expected) in got.gradients.iter().zip([&golden.gradient_a, &golden.gradient_b]) {
                let error = relative_error(got, expected);
                assert!(error <= limit, "{what}: gradient off by {error:e} of its norm");
            }
        }
        let exact = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            (0..n * d).map(|k| f((k / d) as f64, (k % d) as f64)).collect()
        };
        let first = |i: f64, j: f64| (0.7 * i + 1.3 * j).sin();
        let (a, b) = (
            exact(&first),
            exact(&|i, j| first(i, j) + 0.5 * (1.1 * i - 0.4 * j).cos()),
        );
        let direct = double::terms([&a, &b], [n, d], [1.0, LAMBDA]).gradients;
        let gram = double::by_gram([&a, &b], [n, d], [1.0, LAMBDA]).1;
        for ours in [direct, gram] {
            for (ours, torch) in ours.iter().zip([&golden.gradient_a, &golden.gradient_b]) {
                let ours: Vec<f32> = ours.iter().map(|&x| x as f32).collect();
                assert!(
                    relative_error(&ours, torch) <= 1e-7,
                    "{n} x {d}: the tests' f64 reference loss is wrong"
                );
            }
        }
    }
}

pub fn the_same_in_64_bits<T: Tested>(device: &T::Device) {
    for [n, d] in SHAPES {
        let [a, b] = views(n, d, 1);
        let expected = double::terms([&a.doubles(), &b.doubles()], [n, d], [1.0, LAMBDA]);
        for form in FORMS {
            let got = run::<T>(&config(form), [&a, &b], device);
            let what = format!("{n} x {d} {form:?}");
            let terms = [expected.invariance, expected.redundancy_reduction];
            compare(&got, terms, [expected.diagonal_mean, expected.diagonal_std], d, &what);
            for (got, expected) in got.gradients.iter().zip(&expected.gradients) {
                let error = relative_error(got, expected);
                assert!(error <= 1e-5, "{what}: gradient off by {error:e} of its norm");
            }
        }
    }
}

fn compare(got: &Outcome, [invariance, redundancy]: [f64; 2], [mean, std]: [f64; 2], d: usize, what: &str) {
    let near = |got: f32, expected: f64, name: &str| {
        assert_near(
            f64::from(got),
            expected,
            1e-5 * expected.abs().max(0.1),
            &format!("{what} {name}"),
        );
    };
    near(got.invariance, invariance, "invariance");
    near(got.redundancy_reduction, redundancy, "redundancy reduction");
    near(got.loss, invariance + LAMBDA * redundancy, "loss");
    near(got.diagonal_mean, mean, "mean of the diagonal");
    assert_near(
        f64::from(got.diagonal_std),
        std,
        1e-3,
        &format!("{what} spread of the diagonal"),
    );
    let pairs = (d * (d - 1)).max(1) as f32;
    near(got.off_diagonal_rms.powi(2) * pairs, redundancy, "off-diagonal rms");
}

pub fn very_wide_embeddings<T: Tested>(device: &T::Device) {
    let [n, d] = [24, 30_000];
    let [a, b] = views(n, d, 8);
    let (redundancy, gradients) = double::by_gram([&a.doubles(), &b.doubles()], [n, d], [1.0, LAMBDA]);
    let got = run::<T>(&config(LossForm::Auto), [&a, &b], device);
    assert_near(
        f64::from(got.redundancy_reduction),
        redundancy,
        1e-5 * redundancy,
        "redundancy reduction",
    );
    for (got, expected) in got.gradients.iter().zip(&gradients) {
        let error = relative_error(got, expected);
        assert!(error <= 1e-5, "gradient off by {error:e} of its norm");
    }
}

pub fn the_forms_agree<T: Tested>(device: &T::Device) {
    for (seed, [n, d]) in [[9, 50], [40, 12], [33, 44], [130, 64], [2, 100]]
        .into_iter()
        .enumerate()
    {
        let [a, b] = views(n, d, 10 + seed as u64);
        let reference = run::<T>(&config(LossForm::Reference), [&a, &b], device);
        for form in FORMS {
            let got = run::<T>(&config(form), [&a, &b], device);
            same(
                &got,
                &reference,
                if n == 2 { 1e-2 } else { 1e-5 },
                &format!("{n} x {d} {form:?}"),
            );
        }
    }
}

pub fn the_portable_entry_agrees<T: Tested>(device: &T::Device) {
    let [a, b] = views(20, 30, 5);
    for form in FORMS {
        let expected = run::<T>(&config(form), [&a, &b], device);
        let (a, b) = (a.to::<T>(device).require_grad(), b.to::<T>(device).require_grad());
        let out = config(form).init().forward_portable(a.clone(), b.clone());
        same(&outcome(out, [a, b]), &expected, 1e-5, &format!("portable {form:?}"));
    }
}

pub fn one_tracked_view_alone<T: Tested>(device: &T::Device) {
    for [n, d] in [[12, 40], [40, 12]] {
        let hosts = views(n, d, 6);
        for form in FORMS {
            let both = run::<T>(&config(form), [&hosts[0], &hosts[1]], device);
            for tracked in [0, 1] {
                let mut z = hosts.each_ref().map(|host| host.to::<T>(device));
                z[tracked] = z[tracked].clone().require_grad();
                let [a, b] = z.clone();
                let gradients = config(form).init().forward(a, b).loss.backward();
                let gradient = z[tracked].grad(&gradients).expect("the tracked view has a gradient");
                assert!(super::values(gradient) == both.gradients[tracked], "{n} x {d} {form:?}");
                assert!(z[1 - tracked].grad(&gradients).is_none());
            }
        }
    }
}

pub fn other_weights<T: Tested>(device: &T::Device) {
    let settings = BarlowTwinsLossConfig::new().with_lambda(0.3).with_scale(0.024);
    for [n, d] in [[10, 33], [33, 10]] {
        let [a, b] = views(n, d, 7);
        let expected = double::terms([&a.doubles(), &b.doubles()], [n, d], [0.024, 0.024 * 0.3]);
        for form in FORMS {
            let got = run::<T>(&settings.clone().with_form(form), [&a, &b], device);
            for (got, expected) in got.gradients.iter().zip(&expected.gradients) {
                assert!(relative_error(got, expected) <= 1e-5, "{n} x {d} {form:?}");
            }
        }
    }
}

/// Asserts that two outcomes are equal up to a relative tolerance.
pub fn same(got: &Outcome, expected: &Outcome, tolerance: f64, what: &str) {
    let pairs = [
        (got.loss, expected.loss, "loss"),
        (got.invariance, expected.invariance, "invariance"),
        (
            got.redundancy_reduction,
            expected.redundancy_reduction,
            "redundancy reduction",
        ),
        (got.diagonal_mean, expected.diagonal_mean, "diagonal mean"),
        (got.off_diagonal_rms, expected.off_diagonal_rms, "off-diagonal rms"),
    ];
    for (got, expected, name) in pairs {
        let allowed = 1e-5 * f64::from(expected.abs()).max(0.1);
        assert_near(f64::from(got), f64::from(expected), allowed, &format!("{what} {name}"));
    }
    for (got, expected) in got.gradients.iter().zip(&expected.gradients) {
        let expected: Vec<f64> = expected.iter().map(|&x| f64::from(x)).collect();
        let error = relative_error(got, &expected);
        assert!(error <= tolerance, "{what}: gradients differ by {error:e}");
    }
}

/// The bits of every result, for tests of determinism.
pub fn bits(outcome: &Outcome) -> Vec<u32> {
    let Outcome {
        loss,
        invariance,
        redundancy_reduction,
        diagonal_mean,
        diagonal_std,
        off_diagonal_rms,
        gradients: [a, b],
    } = outcome;
    let readings = [
        loss,
        invariance,
        redundancy_reduction,
        diagonal_mean,
        diagonal_std,
        off_diagonal_rms,
    ];
    readings.into_iter().chain(a).chain(b).map(|x| x.to_bits()).collect()
}

/// Two partially correlated views for tests of determinism and speed.
pub fn large(n: usize, d: usize) -> [Host; 2] {
    views(n, d, 99)
}
