//! A whole training step of a tiny Mask R-CNN against torch's, which `goldens/step.py` wrote down.
#![cfg(feature = "cpu")]

use barlow_detect::{
    AnchorConfig, C4Config, C4Detector, DetectConfig, ImageTargets, Outline, ProposalConfig, StageConfig, StepKey,
    StepModes,
};
use barlow_model::{
    HostTensor, NormMode, ParamKind, PathStack, ResNetConfig, ResNetDepth, StateDict, load_state_dict, named_shapes,
    parameter_count,
};
use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use serde_json::Value;
use std::collections::BTreeMap;

type B = Autodiff<Flex>;

/// As in `step.py`.
fn formula(name: &str, shape: &[usize]) -> HostTensor {
    let count: usize = shape.iter().product();
    let key = (name.bytes().map(usize::from).sum::<usize>() % 97) as f64;
    let wave = |i: usize| (0.37 * i as f64 + 0.0113 * i as f64 * i as f64 + key).sin();
    let value = |i: usize| {
        if name.ends_with("running_var") || (shape.len() == 1 && name.ends_with("weight")) {
            1.0 + 0.2 * wave(i)
        } else if shape.len() == 1 {
            0.2 * wave(i)
        } else {
            wave(i) * 2.0 / ((count / shape[0]) as f64).sqrt()
        }
    };
    // Small offsets, so that proposals stay near their anchors and several train each object.
    let factor = if name.contains("anchor_deltas") { 0.1 } else { 1.0 };
    HostTensor {
        shape: shape.to_vec(),
        data: (0..count).map(|i| (factor * value(i)) as f32).collect(),
    }
}

fn config() -> DetectConfig {
    DetectConfig {
        anchors: AnchorConfig {
            sizes: vec![16.0, 32.0],
            ..AnchorConfig::default()
        },
        first: StageConfig::ANCHORS,
        second: StageConfig::REGIONS,
        proposals: ProposalConfig {
            after_nms: 50,
            ..ProposalConfig::TRAINING
        },
        bins: 14,
        classes: 3,
    }
}

fn detector() -> C4Detector<B> {
    let backbone = ResNetConfig::new(ResNetDepth::ResNet18).with_width(8);
    let parts = C4Config {
        classes: 3,
        anchors: 6,
        extra_norm: true,
        mask_channels: Some(5),
    };
    let detector = C4Detector::new(
        backbone.init(&FlexDevice),
        backbone.feature_dim(),
        &parts,
        0,
        &FlexDevice,
    );
    let shapes = named_shapes(&detector).into_iter();
    let state: StateDict = shapes
        .map(|named| {
            let tensor = formula(&named.name, &named.shape);
            (named.name, tensor)
        })
        .collect();
    load_state_dict(detector, &state).expect("the names and shapes are the module's")
}

fn images() -> Tensor<B, 4> {
    let value = |i: usize| (0.13 * i as f64 + 0.0017 * i as f64 * i as f64).sin() as f32;
    let values: Vec<f32> = (0..2 * 3 * 64 * 96).map(value).collect();
    Tensor::from_data(TensorData::new(values, [2, 3, 64, 96]), &FlexDevice)
}

fn outlines(objects: Vec<Vec<Vec<f64>>>) -> Vec<Option<Outline>> {
    objects.into_iter().map(Outline::Polygons).map(Some).collect()
}

fn targets() -> [ImageTargets; 2] {
    [
        ImageTargets {
            boxes: vec![
                [8.0, 6.0, 44.0, 40.0],
                [50.0, 20.0, 90.0, 60.0],
                [30.0, 34.0, 58.0, 62.0],
            ],
            classes: vec![0, 2, 1],
            outlines: outlines(vec![
                vec![vec![8.0, 6.0, 44.0, 6.0, 44.0, 40.0, 8.0, 40.0]],
                vec![vec![50.0, 60.0, 70.0, 20.0, 90.0, 60.0]],
                vec![
                    vec![30.0, 34.0, 42.0, 34.0, 42.0, 62.0, 30.0, 62.0],
                    vec![46.0, 40.0, 58.0, 40.0, 58.0, 60.0],
                ],
            ]),
        },
        ImageTargets {
            boxes: vec![[10.5, 12.25, 60.0, 52.0], [38.0, 4.0, 76.0, 30.0]],
            classes: vec![1, 0],
            outlines: outlines(vec![
                vec![vec![10.5, 30.0, 36.0, 12.25, 60.0, 33.0, 30.0, 52.0]],
                vec![vec![38.0, 4.0, 76.0, 8.0, 70.0, 30.0, 44.0, 26.0]],
            ]),
        },
    ]
}

const SIZES: [[usize; 2]; 2] = [[64, 96], [60, 80]];
const KEY: StepKey = StepKey {
    seed: 0,
    step: 0,
    first_image: 0,
};

struct Gradients<'a> {
    gradients: &'a <B as AutodiffBackend>::Gradients,
    path: PathStack,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor<B> for Gradients<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let gradient = match self.path.kind() {
                ParamKind::Linear => gradient.transpose(),
                _ => gradient,
            };
            self.found
                .insert(self.path.name(), gradient.into_data().to_vec().unwrap());
        }
    }
}

#[track_caller]
fn close(name: &str, found: f64, expected: f64, scale: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance * scale,
        "{name}: {found}, not {expected}"
    );
}

fn golden() -> Value {
    serde_json::from_str(include_str!("goldens/step.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn the_losses_of_a_step_agree_with_torch() {
    let golden = golden();
    let detector = detector();
    let features = detector.backbone.trunk(images(), NormMode::TrainFrozenStats);
    let features: Vec<f32> = features.into_data().to_vec().unwrap();
    let sums = [
        features.iter().map(|&value| f64::from(value)).sum::<f64>(),
        features.iter().map(|&value| f64::from(value).powi(2)).sum(),
    ];
    for (found, expected) in sums.into_iter().zip(numbers(&golden["features"])) {
        close("features", found, expected, expected.abs(), 1e-5);
    }
    let losses = detector.losses(
        images(),
        &SIZES,
        &targets(),
        &config(),
        &KEY,
        StepModes::all(NormMode::Train),
    );
    assert_eq!(losses.bad_masks, 0);
    let value = |loss: &Tensor<B, 1>| f64::from(loss.clone().into_scalar());
    let found = [
        &losses.rpn_cls,
        &losses.rpn_loc,
        &losses.cls,
        &losses.box_reg,
        losses.mask.as_ref().unwrap(),
    ];
    for (at, (found, expected)) in found.into_iter().zip(numbers(&golden["losses"])).enumerate() {
        close(&format!("loss {at}"), value(found), expected, expected, 1e-5);
    }
}

/// Ten regions train masks and boxes of five objects. torch's own single precision is within 5e-6 of its double precision here
/// (`step.py --single`).
#[test]
fn the_gradients_agree_with_torch() {
    let golden = golden();
    let detector = detector();
    let losses = detector.losses(
        images(),
        &SIZES,
        &targets(),
        &config(),
        &KEY,
        StepModes::all(NormMode::Train),
    );
    let gradients = losses.total().backward();
    let mut visitor = Gradients {
        gradients: &gradients,
        path: PathStack::default(),
        found: BTreeMap::new(),
    };
    detector.visit(&mut visitor);
    let expected = golden["gradients"].as_object().unwrap();
    assert_eq!(visitor.found.len(), expected.len(), "every parameter has a gradient");
    for (name, found) in &visitor.found {
        let expected = numbers(&expected[name]);
        let norm = found.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        close(&format!("norm of {name}"), norm, expected[0], expected[0], 1e-4);
        for (&found, &wanted) in found.iter().zip(&expected[1..]) {
            close(name, f64::from(found), wanted, expected[0], 1e-4);
        }
    }
}

/// The same bytes every time, other samples with another key.
#[test]
fn a_step_is_its_key_s() {
    let detector = detector();
    let few = DetectConfig {
        second: StageConfig {
            samples: 16,
            most_objects: 0.25,
        },
        ..config()
    };
    let total = |key: &StepKey| {
        let losses = detector.losses(
            images(),
            &SIZES,
            &targets(),
            &few,
            key,
            StepModes::all(NormMode::TrainFrozenStats),
        );
        losses.total().into_scalar().to_bits()
    };
    assert_eq!(total(&KEY), total(&KEY));
    assert_ne!(total(&KEY), total(&StepKey { step: 1, ..KEY }));
}

/// A frozen trunk has no gradient; with running statistics everywhere the rest still learns, and nothing of the statistics moves.
#[test]
fn a_frozen_trunk_and_frozen_norms_learn_the_rest() {
    let detector = detector();
    let statistics = |detector: &C4Detector<B>| {
        let state = barlow_model::state_dict(detector).unwrap().into_iter();
        state.filter(|(name, _)| name.contains("running")).collect::<Vec<_>>()
    };
    let before = statistics(&detector);
    let modes = StepModes {
        frozen_trunk: true,
        ..StepModes::all(NormMode::Eval)
    };
    let losses = detector.losses(images(), &SIZES, &targets(), &config(), &KEY, modes);
    let gradients = losses.total().backward();
    let mut visitor = Gradients {
        gradients: &gradients,
        path: PathStack::default(),
        found: BTreeMap::new(),
    };
    detector.visit(&mut visitor);
    let learns = |part: &str| {
        visitor
            .found
            .iter()
            .any(|(name, gradient)| name.starts_with(part) && gradient.iter().any(|value| *value != 0.0))
    };
    assert!(!learns("backbone.conv1") && !learns("backbone.layer1") && !learns("backbone.layer3"));
    for part in ["backbone.layer4", "norm.", "rpn_head", "box_predictor", "mask_head"] {
        assert!(learns(part), "{part}");
    }
    assert!(statistics(&detector) == before);
}

#[test]
fn images_without_objects_train_and_predictions_are_within_the_image() {
    let detector = detector();
    let none = [ImageTargets::default(), ImageTargets::default()];
    let losses = detector.losses(
        images(),
        &SIZES,
        &none,
        &config(),
        &KEY,
        StepModes::all(NormMode::TrainFrozenStats),
    );
    assert!(losses.rpn_loc.clone().into_scalar() == 0.0 && losses.box_reg.clone().into_scalar() == 0.0);
    assert!(losses.total().into_scalar().is_finite());
    let found = detector.detect(images(), &SIZES, &config(), 10);
    assert_eq!(found.len(), 2);
    assert!(found.iter().any(|found| !found.is_empty()));
    for (found, [height, width]) in found.iter().zip(SIZES) {
        assert!(found.len() <= 10 && found.is_sorted_by(|a, b| a.score >= b.score));
        for detection in found {
            let [x1, y1, x2, y2] = detection.corners;
            assert!(0.0 <= x1 && x1 < x2 && x2 <= width as f32);
            assert!(0.0 <= y1 && y1 < y2 && y2 <= height as f32);
            assert!(detection.class < 3 && detection.mask.len() == 14 * 14);
        }
    }
}

/// detectron2's: 33,234,160 with the extra norm for VOC, without the backbone's 23,508,032.
#[test]
fn the_heads_have_detectron2s_parameters() {
    let backbone = ResNetConfig::new(ResNetDepth::ResNet50);
    let parts = C4Config {
        classes: 20,
        anchors: 15,
        extra_norm: true,
        mask_channels: None,
    };
    let detector: C4Detector<Flex> = C4Detector::new(
        backbone.init(&FlexDevice),
        backbone.feature_dim(),
        &parts,
        0,
        &FlexDevice,
    );
    assert_eq!(parameter_count(&detector), 33_234_160);
}
