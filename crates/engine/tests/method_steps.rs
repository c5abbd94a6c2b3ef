//! Two steps of a small network by each method, compared with PyTorch's: losses, weights, running statistics and the teacher.
//! `goldens/method_steps.py` prints the expected values.

#![cfg(feature = "cpu")]

use barlow_augment::ViewsConfig;
use barlow_data::{DeviceBatch, HostBatch, HostView};
use barlow_engine::method::{Clock, EmaTiming, MethodInputs};
use barlow_engine::methods::{LossSection, MethodKind, MethodSection};
use barlow_engine::optim::{LearningRates, Optimizer, Rule, Sgd, StepRates};
use barlow_engine::ranks::Ranks;
use barlow_engine::training::{Profile, StepContext, Teacher, step_gradients};
use barlow_model::{
    Backbone, HostTensor, Linear, LinearConfig, Model, NormMode, ParamKind, ProjectorConfig, StateDict,
    load_state_dict, named_shapes, state_dict,
};
use burn::backend::Autodiff;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn_flex::{Flex, FlexDevice};
use serde_json::Value;

type Diff = Autodiff<Flex>;

const N: usize = 8;
const SIZE: usize = 4;
const RATES: [f64; 2] = [0.05, 0.025];

/// A linear layer on the pixels, and ReLU.
#[derive(Module, Debug)]
struct Tiny<B: Backend> {
    fc: Linear<B>,
}

impl<B: Backend> Backbone<B> for Tiny<B> {
    fn feature_dim(&self) -> usize {
        10
    }

    fn forward(&self, images: Tensor<B, 4>, _mode: NormMode) -> Tensor<B, 2> {
        relu(self.fc.forward(images.flatten(1, 3)))
    }
}

fn section(kind: MethodKind) -> MethodSection {
    let mut section = MethodSection::of(kind);
    section.simsiam.predictor = 7;
    section.byol.predictor = 7;
    section.byol.momentum = 0.9;
    section.swav.prototypes = 5;
    section.swav.frozen_steps = 1;
    section.swav.small_views = 0;
    section
}

/// 0.3 sin(0.37 k + 0.011 k² + the sum of the name's bytes modulo 100) for all but norms.
fn weights(model: &Model<Diff, Tiny<Diff>>) -> StateDict {
    let mut state = state_dict(model).unwrap();
    let learned = |kind: ParamKind| matches!(kind, ParamKind::Linear | ParamKind::Bias);
    for named in named_shapes(model) {
        let is_norm = ["projector.1.", "projector.4.", "predictor.1."]
            .iter()
            .any(|part| named.name.starts_with(part));
        if is_norm || !learned(named.kind) {
            continue;
        }
        let shift = f64::from(named.name.bytes().map(u32::from).sum::<u32>() % 100);
        let count: usize = named.shape.iter().product();
        let value = |k: f64| 0.3 * (0.37 * k + 0.011 * k * k + shift).sin();
        let data = (0..count).map(|k| value(k as f64) as f32).collect();
        let shape = named.shape.clone();
        state.insert(named.name, HostTensor { shape, data });
    }
    state
}

fn batch() -> HostBatch {
    let view = |group: usize, seed: f64| HostView {
        pixels: (0..N * 3 * SIZE * SIZE)
            .map(|k| (0.013 * (k * k) as f64 + seed).sin() as f32)
            .collect(),
        size: SIZE,
        group,
    };
    HostBatch {
        views: vec![view(0, 0.1), view(1, 0.4)],
        n: N,
        channels: 3,
        labels: vec![None; N],
        indices: (0..N).collect(),
    }
}

fn assert_state(what: &str, found: &StateDict, expected: &Value) {
    let expected = expected.as_object().unwrap();
    for (name, values) in expected {
        let found = &found.get(name).unwrap_or_else(|| panic!("{what}: no {name}")).data;
        let values: Vec<f64> = values.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert_eq!(found.len(), values.len(), "{what}: {name}");
        let scale = values.iter().fold(1e-2f64, |most, value| most.max(value.abs()));
        for (k, (&found, &value)) in found.iter().zip(&values).enumerate() {
            let difference = (f64::from(found) - value).abs();
            assert!(difference < 2e-5 * scale, "{what}: {name}[{k}] is {found}, not {value}");
        }
    }
}

#[test]
fn two_steps_are_pytorchs() {
    let goldens: Value = serde_json::from_str(include_str!("goldens/method_steps.json")).unwrap();
    let kinds = [
        MethodKind::SimClr,
        MethodKind::SimSiam,
        MethodKind::Byol,
        MethodKind::Swav,
    ];
    for kind in kinds {
        let name = kind.name();
        let golden = &goldens[name];
        let inputs = MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: ProjectorConfig { widths: vec![12, 6] }.mlp(true),
            batch_size: N,
            largest_buffer: None,
        };
        let mut method = section(kind).build::<Diff>(&LossSection::default(), &inputs);
        let spec = method.spec().clone();
        let backbone = Tiny {
            fc: LinearConfig::new(48, 10).with_bias(true).init(&FlexDevice),
        };
        let model = Model::new(backbone, &spec.heads, &FlexDevice);
        let start = weights(&model);
        let mut model = load_state_dict(model, &start).unwrap();
        let mut teacher = spec.teacher.clone().map(|spec| Teacher::new(spec, &model));
        let rule = Rule::Sgd(Sgd {
            momentum: 0.9,
            weight_decay: 0.01,
        });
        let mut optimizer = Optimizer::new(rule).with_rules(spec.rules.clone());
        let profile = Profile::off();
        for (step, rate) in RATES.into_iter().enumerate() {
            let clock = Clock {
                step: step as u64,
                total_steps: 10,
                steps_per_epoch: 5,
            };
            let rates = |rate: f64| LearningRates {
                weights: rate,
                biases: rate,
            };
            model.heads = method.before_step(model.heads, clock);
            if let Some(teacher) = &mut teacher {
                teacher.update(EmaTiming::BeforeForward, &model, clock.progress());
            }
            let context = StepContext {
                model: &model,
                teacher: teacher.as_ref(),
                clock,
                seed: 0,
                profile: &profile,
                ranks: &Ranks::alone(),
            };
            let batch: DeviceBatch<Diff> = batch().to_device(&FlexDevice);
            let gradients = step_gradients(&context, method.as_mut(), batch);
            let (loss, expected) = (
                gradients.readings.read().loss(),
                golden["losses"][step].as_f64().unwrap(),
            );
            assert!(
                (loss - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{name}, step {step}: loss {loss}, not {expected}"
            );
            let rates = StepRates {
                now: rates(rate),
                peak: rates(RATES[0]),
            };
            let mut hook = |name: &str, kind, gradient| method.gradient(name, kind, gradient, clock);
            model = optimizer.step_with(model, gradients.gradients, rates, &mut hook);
            if let Some(teacher) = &mut teacher {
                teacher.update(EmaTiming::AfterStep, &model, clock.progress());
            }
            method.after_step(clock);
        }
        assert_state(name, &state_dict(&model).unwrap(), &golden["model"]);
        if let Some(teacher) = &teacher {
            assert_state(
                &format!("{name}'s teacher"),
                &teacher.state().unwrap(),
                &golden["teacher"],
            );
        }
    }
}
