//! Tests with unusual inputs: views into other tensors, half precision, large offsets, NaN.

use barlow_loss::{BarlowTwinsLossConfig, LossForm};
use burn::tensor::{FloatDType, Tensor};

use super::inputs::{Host, views};
use super::{FORMS, Tested, assert_near, config, loss, outcome, readings, relative_error, run, scalar, values};

pub fn views_into_larger_tensors_are_read_right<T: Tested>(device: &T::Device) {
    for [n, d] in [[20, 60], [60, 20]] {
        let [a, b] = views(n, d, 13);
        for form in FORMS {
            let expected = run::<T>(&config(form), [&a, &b], device);
            let criterion = config(form).init();
            // a: the transpose of a contiguous [D, N]; b: the middle of a larger tensor.
            let a = a.to::<T>(device).transpose().reshape([d, n]).require_grad();
            let frame = Tensor::zeros([n + 5, d + 7], device).slice_assign([2..n + 2, 3..d + 3], b.to::<T>(device));
            let frame = frame.require_grad();
            let b = frame.clone().narrow(0, 2, n).narrow(1, 3, d);
            let out = criterion.forward(a.clone().transpose(), b);
            let gradients = out.loss.backward();
            assert_near(
                f64::from(scalar(out.loss)),
                f64::from(expected.loss),
                1e-5,
                &format!("{form:?}"),
            );
            let gradient_a = values(a.grad(&gradients).unwrap().transpose());
            let gradient_b = values(frame.grad(&gradients).unwrap().narrow(0, 2, n).narrow(1, 3, d));
            for (got, expected) in [gradient_a, gradient_b].iter().zip(&expected.gradients) {
                let expected: Vec<f64> = expected.iter().map(|&x| f64::from(x)).collect();
                assert!(relative_error(got, &expected) <= 1e-5, "{n} x {d} {form:?}");
            }
        }
    }
}

/// Runs for the half-precision types that the device supports.
pub fn half_precision_input_is_computed_in_single_precision<T: Tested>(device: &T::Device) {
    for kind in [FloatDType::BF16, FloatDType::F16] {
        if !T::supports_dtype(device, kind.into()) {
            continue;
        }
        for [n, d] in [[32, 48], [48, 32]] {
            // Values up to 40,000: their squares overflow f16.
            let [a, b] = views(n, d, 13).map(|host| host.map(|_, x| 8000.0 * x).to::<T>(device).cast(kind));
            for form in FORMS {
                // The gradients are near 1e-6 and would underflow in f16. Scaled up, nearly all are above 6e-5, where f16 has
                // full precision.
                let criterion = config(form).with_scale(16384.0).init();
                let single = [&a, &b].map(|z| z.clone().cast(FloatDType::F32));
                let [x, y] = single.map(Tensor::require_grad);
                let expected = outcome(criterion.forward(x.clone(), y.clone()), [x, y]);
                let (x, y) = (a.clone().require_grad(), b.clone().require_grad());
                let got = outcome(criterion.forward(x.clone(), y.clone()), [x, y]);
                let what = format!("{n} x {d} {kind:?} {form:?}");
                let (loss, expected_loss) = (f64::from(got.loss), f64::from(expected.loss));
                assert!(expected_loss.is_finite(), "{what}: {expected_loss}");
                // Not compared bitwise, because a GPU may use differently tuned kernels in two runs.
                assert_near(loss, expected_loss, 1e-5 * expected_loss, &what);
                // Larger than half a unit in the last place, 2^-9 in bf16 and 2^-12 in f16; a gradient of all zeros would have
                // error 1.
                let tolerance = if kind == FloatDType::BF16 { 1e-2 } else { 1e-3 };
                for (got, expected) in got.gradients.iter().zip(&expected.gradients) {
                    let expected: Vec<f64> = expected.iter().map(|&x| f64::from(x)).collect();
                    let error = relative_error(got, &expected);
                    assert!(error <= tolerance, "{what}: gradient off by {error:e} of its norm");
                }
            }
        }
    }
}

pub fn a_large_offset_costs_little<T: Tested>(device: &T::Device) {
    let [a, b] = views(40, 70, 14);
    // Multiples of 1/64 are exact after the shift, so that only the arithmetic of the loss is tested.
    let coarse = |host: &Host| host.map(|_, x| (x * 64.0).round() / 64.0);
    let (a, b) = (coarse(&a), coarse(&b));
    let shifted = a.map(|_, x| x + 1000.0);
    for form in FORMS {
        let expected = loss::<T>(form, [&a, &b], device);
        assert_near(
            loss::<T>(form, [&shifted, &b], device),
            expected,
            1e-3 * expected,
            &format!("{form:?}"),
        );
    }
}

pub fn not_a_number_stays_not_a_number<T: Tested>(device: &T::Device) {
    for [n, d] in [[8, 30], [30, 8], [300, 40], [40, 600]] {
        for bad in [f32::NAN, f32::INFINITY] {
            let [mut a, b] = views(n, d, 15);
            a.values[n * d - 2] = bad;
            for form in [LossForm::Reference, LossForm::Direct, LossForm::Gram] {
                for pair in [[&a, &b], [&b, &a]] {
                    nothing_hides_it::<T>(&config(form), pair, device);
                }
            }
        }
    }
}

/// Asserts that every reading of these embeddings is NaN, with and without autodiff.
pub fn nothing_hides_it<T: Tested>(config: &BarlowTwinsLossConfig, pair: [&Host; 2], device: &T::Device) {
    let criterion = config.init();
    let [a, b] = pair.map(|host| host.to::<T>(device));
    let tracked = criterion.forward(a.clone().require_grad(), b.clone());
    let plain = criterion.forward(a.inner(), b.inner());
    for (backend, readings) in [("autodiff", readings(tracked)), ("plain", readings(plain))] {
        for (name, value) in readings {
            assert!(value.is_nan(), "{backend} {config:?}: {name} is {value}");
        }
    }
}
