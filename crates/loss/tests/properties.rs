//! What must hold of the loss at any input: invariances, known values, finite gradients, refused shapes.

mod common;

use barlow_loss::{BarlowTwinsLoss, BarlowTwinsLossConfig, BarlowTwinsOutput, loss_floor, loss_start};
use burn::tensor::{FloatDType, Int, Tensor, TensorData};
use common::{B, assert_close, formula_pair, matrix, normal, tensor, values};

fn criterion() -> BarlowTwinsLoss {
    BarlowTwinsLossConfig::new().init()
}

fn loss(z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> f64 {
    f64::from(values(criterion().forward(z_a, z_b).loss)[0])
}

fn assert_near(got: f64, expected: f64, tolerance: f64) {
    assert!(
        (got - expected).abs() <= tolerance,
        "{got}, expected {expected} ± {tolerance}"
    );
}

#[test]
fn affine_maps_of_a_view_change_nothing() {
    let x = normal(24, 40, 1);
    let reference = loss(x.clone(), x.clone());
    assert_near(
        loss(x.clone(), x.clone().mul_scalar(2.0).add_scalar(4.0)),
        reference,
        1e-4 * reference,
    );
    // Feature by feature too: that is what "the views are standardised separately" means.
    let (scale, shift) = (
        matrix(1, 40, |_, j| 0.5 + 0.1 * j),
        matrix(1, 40, |_, j| (3.0 * j).sin() * 5.0),
    );
    assert_near(loss(x.clone(), x * scale + shift), reference, 1e-4 * reference);
}

#[test]
fn swapping_the_views_changes_nothing() {
    let (a, b) = formula_pair(7, 5);
    assert_near(loss(a.clone(), b.clone()), loss(b, a), 1e-6);
}

#[test]
fn permuting_the_batch_changes_nothing() {
    let (a, b) = (normal(6, 9, 2), normal(6, 9, 3));
    let order = Tensor::<B, 1, Int>::from_data(TensorData::from([4, 0, 5, 2, 1, 3]), &Default::default());
    let before = loss(a.clone(), b.clone());
    assert_near(
        loss(a.clone().select(0, order.clone()), b.clone().select(0, order.clone())),
        before,
        1e-5 * before,
    );
    // Permuting one view only tears the pairs apart, and must show.
    assert!((loss(a.select(0, order), b) - before).abs() > 1e-2 * before);
}

#[test]
fn decorrelated_identical_views_cost_nothing() {
    // The columns of a Hadamard matrix of order 4 but the first: mean 0, variance 1, orthogonal.
    let hadamard = vec![1., 1., 1., -1., 1., -1., 1., -1., -1., -1., -1., 1.];
    let z = tensor(hadamard, 4, 3);
    let out = criterion().forward(z.clone(), z);
    assert_near(f64::from(values(out.loss)[0]), 0.0, 1e-8);
    assert_near(f64::from(values(out.diagonal_mean)[0]), 1.0, 2e-5);
    assert_near(f64::from(values(out.off_diagonal_rms)[0]), 0.0, 1e-6);
}

#[test]
fn identical_views_have_no_invariance_cost_and_respect_the_floor() {
    for (n, d) in [(16, 64), (32, 31), (5, 200)] {
        let z = normal(n, d, 4);
        let out = criterion().forward(z.clone(), z);
        assert_near(f64::from(values(out.invariance)[0]), 0.0, 1e-6 * d as f64);
        assert!(f64::from(values(out.loss)[0]) >= loss_floor(n, d, 0.0051).unwrap());
    }
}

#[test]
fn unrelated_embeddings_start_at_the_expected_value() {
    for (n, d) in [(64, 256), (128, 300)] {
        let out = criterion().forward(normal(n, d, 5), normal(n, d, 6));
        let expected = loss_start(n, d, 0.0051);
        assert_near(f64::from(values(out.loss)[0]), expected, 0.05 * expected);
        let chance = 1.0 / ((n - 1) as f64).sqrt();
        assert_near(f64::from(values(out.off_diagonal_rms)[0]), chance, 0.03 * chance);
        assert_near(f64::from(values(out.diagonal_mean)[0]), 0.0, 0.03);
    }
}

#[test]
fn scale_and_lambda_enter_where_they_should() {
    let (a, b) = formula_pair(7, 5);
    let plain = criterion().forward(a.clone(), b.clone());
    let config = BarlowTwinsLossConfig::new().with_lambda(0.5).with_scale(0.024);
    let scaled = config.init().forward(a, b);
    assert_eq!(values(plain.invariance.clone()), values(scaled.invariance));
    assert_eq!(
        values(plain.redundancy_reduction.clone()),
        values(scaled.redundancy_reduction)
    );
    let expected = 0.024 * (values(plain.invariance)[0] + 0.5 * values(plain.redundancy_reduction)[0]);
    assert_near(f64::from(values(scaled.loss)[0]), f64::from(expected), 1e-6);
}

#[test]
fn gradients_agree_with_finite_differences() {
    let (n, d, step) = (6, 4, 1e-2f32);
    let (a, b) = (normal(n, d, 7), normal(n, d, 8));
    let tracked = a.clone().require_grad();
    let gradients = criterion().forward(tracked.clone(), b.clone()).loss.backward();
    let gradient = tracked.grad(&gradients).unwrap().into_data().to_vec::<f32>().unwrap();
    let base = values(a);
    let numeric: Vec<f64> = (0..n * d)
        .map(|k| {
            let moved = |by: f32| {
                let mut moved = base.clone();
                moved[k] += by;
                loss(tensor(moved, n, d), b.clone())
            };
            (moved(step) - moved(-step)) / f64::from(2.0 * step)
        })
        .collect();
    assert_close(&gradient, &numeric, 2e-3, "gradient");
}

#[test]
fn a_dead_dimension_has_a_finite_gradient() {
    let mut dead = values(normal(8, 5, 9));
    dead.iter_mut().skip(2).step_by(5).for_each(|value| *value = 0.25);
    let (a, b) = (tensor(dead, 8, 5).require_grad(), normal(8, 5, 10).require_grad());
    let out = criterion().forward(a.clone(), b.clone());
    let gradients = out.loss.backward();
    assert!(values(out.loss)[0].is_finite());
    for z in [a, b] {
        let gradient = z.grad(&gradients).unwrap().into_data().to_vec::<f32>().unwrap();
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    }
}

#[test]
fn one_dimension_has_no_redundancy() {
    let (a, b) = (normal(5, 1, 11).require_grad(), normal(5, 1, 12));
    let out = criterion().forward(a.clone(), b);
    assert_eq!(values(out.redundancy_reduction), [0.0]);
    assert_eq!(values(out.off_diagonal_rms), [0.0]);
    assert_eq!(values(out.loss.clone()), values(out.invariance));
    assert!(
        a.grad(&out.loss.backward())
            .unwrap()
            .into_data()
            .to_vec::<f32>()
            .unwrap()
            .iter()
            .all(|g| g.is_finite())
    );
}

#[test]
fn half_precision_input_is_computed_in_single_precision() {
    let coarse = |z: Tensor<B, 2>| z.cast(FloatDType::BF16);
    let (a, b) = (coarse(normal(32, 48, 13)), coarse(normal(32, 48, 14)));
    let single = loss(a.clone().cast(FloatDType::F32), b.clone().cast(FloatDType::F32));
    let out: BarlowTwinsOutput<B> = criterion().forward(a, b);
    assert_eq!(f64::from(values(out.loss)[0]), single);
}

#[test]
#[should_panic(expected = "z_a is [4, 3], z_b is [4, 5]")]
fn unequal_shapes_are_refused() {
    loss(normal(4, 3, 0), normal(4, 5, 0));
}

#[test]
#[should_panic(expected = "at least N = 2 images: z_a is [1, 3], z_b is [1, 3]")]
fn one_image_is_refused() {
    loss(normal(1, 3, 0), normal(1, 3, 0));
}

#[test]
#[should_panic(expected = "no dimension (D = 0): z_a is [4, 0], z_b is [4, 0]")]
fn no_dimension_is_refused() {
    loss(tensor(vec![], 4, 0), tensor(vec![], 4, 0));
}
