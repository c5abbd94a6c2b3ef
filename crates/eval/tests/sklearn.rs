//! The classifiers against scikit-learn, whose values are in `goldens.json` (`goldens.py` made them).

use barlow_eval::{Features, LinearConfig, Presence, SvmConfig, linear_probe, linear_svm, unattended};
use serde_json::Value;

fn goldens() -> Value {
    serde_json::from_str(include_str!("goldens.json")).expect("goldens.json is JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    let items = value.as_array().expect("an array");
    items.iter().map(|item| item.as_f64().expect("a number")).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|value| value as f32).collect()
}

fn labels(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|value| value as usize).collect()
}

fn presence(value: &Value) -> Vec<Presence> {
    let items = value.as_array().expect("an array").iter();
    let of = |item: &Value| match item.as_bool().expect("a boolean") {
        true => Presence::Present,
        false => Presence::Absent,
    };
    items.map(of).collect()
}

fn close(name: &str, found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{name}: {found}, not {expected} (difference {:e})",
        found - expected
    );
}

/// Three classes and two: scikit-learn fits a single vector of weights for two, so the same C is another penalty.
#[test]
fn logistic_regression_agrees() {
    for case in goldens()["logistic"].as_array().unwrap() {
        let (rows, test_rows) = (floats(&case["rows"]), floats(&case["test_rows"]));
        let (train_labels, test_labels) = (labels(&case["labels"]), labels(&case["test_labels"]));
        let classes = case["classes"].as_u64().unwrap() as usize;
        let train = Features {
            rows: &rows,
            width: 5,
            labels: &train_labels,
            classes,
        };
        let test = Features {
            rows: &test_rows,
            labels: &test_labels,
            ..train
        };
        for fit in case["fits"].as_array().unwrap() {
            let c = fit["c"].as_f64().unwrap();
            let name = format!("{classes} classes, C {c}");
            let config = LinearConfig {
                l2: LinearConfig::l2_of_c(c, 30, classes),
                tolerance: 1e-10,
                standardise: false,
                ..LinearConfig::default()
            };
            let result = linear_probe(&train, &test, &config, &mut unattended).unwrap();
            assert!(result.converged, "{name}");
            close(&name, result.objective, fit["mean_objective"].as_f64().unwrap(), 1e-9);
            let decision = numbers(&fit["decision"]);
            for (image, expected) in decision.chunks(if classes == 2 { 1 } else { classes }).enumerate() {
                let logits = result.model.logits(test.row(image));
                let own = if classes == 2 {
                    vec![logits[1] - logits[0]]
                } else {
                    logits
                };
                own.iter()
                    .zip(expected)
                    .for_each(|(&own, &expected)| close(&name, own, expected, 1e-6));
            }
            assert_eq!(result.predictions, labels(&fit["predictions"]), "{name}");
            close(&name, result.top1, fit["accuracy"].as_f64().unwrap(), 1e-12);
            let calibration = result.report.calibration_error.unwrap();
            close(&name, calibration, fit["calibration_error"].as_f64().unwrap(), 1e-6);
        }
    }
}

#[test]
fn linear_svms_agree() {
    let case = &goldens()["svm"];
    let (rows, test_rows) = (floats(&case["rows"]), floats(&case["test_rows"]));
    let positive = presence(&case["positive"]);
    let (train_labels, test_labels) = (vec![0; 36], vec![0; 5]);
    let train = Features {
        rows: &rows,
        width: 6,
        labels: &train_labels,
        classes: 1,
    };
    let test = Features {
        rows: &test_rows,
        labels: &test_labels,
        ..train
    };
    let fits = case["fits"].as_array().unwrap();
    for fit in fits {
        let c = fit["c"].as_f64().unwrap();
        let config = SvmConfig {
            costs: vec![c],
            normalise: false,
            tolerance: 1e-7,
            ..SvmConfig::default()
        };
        let result = linear_svm(
            &train,
            &positive,
            &test,
            &[Presence::Present; 5],
            &config,
            &mut unattended,
        )
        .unwrap();
        let class = &result.classes[0];
        let name = format!("C {c}");
        assert!(class.converged, "{name}");
        for (own, expected) in class.weight.iter().zip(numbers(&fit["weight"])) {
            close(&name, *own, expected, 1e-5);
        }
        close(&name, class.bias, fit["bias"].as_f64().unwrap(), 1e-5);
        for (own, expected) in class.scores.iter().zip(numbers(&fit["decision"])) {
            close(&name, *own, expected, 1e-5);
        }
        close(
            &name,
            class.cross_validated[0].1,
            fit["cross_validated"].as_f64().unwrap(),
            1e-9,
        );
    }
    // All values of C together, each started at the optimum of the previous one: the same scores, and the best one is chosen.
    let config = SvmConfig {
        costs: fits.iter().map(|fit| fit["c"].as_f64().unwrap()).collect(),
        normalise: false,
        tolerance: 1e-7,
        ..SvmConfig::default()
    };
    let result = linear_svm(
        &train,
        &positive,
        &test,
        &[Presence::Present; 5],
        &config,
        &mut unattended,
    )
    .unwrap();
    let class = &result.classes[0];
    for ((cost, own), fit) in class.cross_validated.iter().zip(fits) {
        assert_eq!(Some(*cost), fit["c"].as_f64());
        close("all C", *own, fit["cross_validated"].as_f64().unwrap(), 1e-9);
    }
    let best = class
        .cross_validated
        .iter()
        .fold((0.0, f64::MIN), |best, next| if next.1 > best.1 { *next } else { best });
    assert_eq!(class.cost, Some(best.0));
}
