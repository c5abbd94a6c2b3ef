//! A small network's steps: initial weights, gradients, every optimiser, and going on from a checkpoint's tensors.

use super::comparison::{Comparison, Right, noise};
use crate::backend::TrainBackend;
use crate::evaluation::to_host;
use crate::method::{Clock, Method, MethodInputs};
use crate::methods::{LossSection, MethodSection};
use crate::optim::{AdamW, Lars, LearningRates, OptimOps, Optimizer, Rule, Sgd, Update};
use crate::training::{Profile, StepContext, cached_step_gradients, step_gradients};
use barlow_augment::ViewsConfig;
use barlow_data::{DeviceBatch, HostBatch, HostView};
use barlow_model::{
    HeadsConfig, MlpConfig, Model, ModelConfig, NormMode, ProjectorConfig, ResNetConfig, ResNetDepth, StateDict, Stem,
    load_state_dict, state_dict,
};
use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use burn_flex::FlexDevice;

/// Twenty layers, each of which adds its rounding; as a part of a parameter's largest value.
const BOUND: f64 = 1e-3;
const STEPS: u64 = 2;
const RATES: LearningRates = LearningRates {
    weights: 0.05,
    biases: 0.01,
};

pub(super) fn suite<B: TrainBackend>(device: &B::Device, report: &mut dyn FnMut(&Comparison)) {
    let (got, right) = (named(&model::<B>(device)), named(&model::<Right>(&FlexDevice)));
    // Bit for bit.
    let all = |state: StateDict| -> Vec<f32> { state.into_values().flat_map(|tensor| tensor.data).collect() };
    report(&Comparison::of("initial weights".into(), &all(got), &all(right), 0.0));
    let steps = |name: &str| format!("weights after {STEPS} steps of {name}");
    for (name, rule) in rules() {
        let (got, features) = trained::<B>(rule, device);
        let (right, right_features) = trained::<Right>(rule, &FlexDevice);
        report(&weights(steps(name), &got, &right, BOUND));
        let name = format!("features after {STEPS} steps of {name}");
        report(&Comparison::of(name, &features, &right_features, BOUND));
    }
    let (got, right) = (updated::<B>(device), updated::<Right>(&FlexDevice));
    report(&Comparison::of(
        steps("AdamW with torch's epsilon, on given gradients"),
        &got,
        &right,
        1e-5,
    ));
    let (got, right) = (cached::<B>(device), cached::<Right>(&FlexDevice));
    report(&weights(
        "weights after a step in micro-batches".into(),
        &got,
        &right,
        BOUND,
    ));
    let (resumed, whole) = resumed::<B>(device);
    report(&weights(
        "weights after going on from a checkpoint".into(),
        &resumed,
        &whole,
        1e-6,
    ));
}

/// The largest difference of all tensors, each as a part of the largest value that is right: a network's biases are far smaller than
/// its weights.
fn weights(name: String, got: &StateDict, right: &StateDict, bound: f64) -> Comparison {
    let differences = right.iter().map(|(key, right)| {
        let comparison = Comparison::of(key.clone(), &got[key].data, &right.data, bound);
        comparison.difference
    });
    Comparison {
        name,
        difference: differences.fold(0.0, f64::max),
        bound,
    }
}

fn rules() -> [(&'static str, Rule); 4] {
    let lars = Lars {
        momentum: 0.9,
        weight_decay: 1e-4,
        trust_coefficient: 0.02,
        clip: false,
    };
    let sgd = Sgd {
        momentum: 0.9,
        weight_decay: 1e-4,
    };
    [
        ("LARS", Rule::Lars(lars)),
        ("clipped LARS", Rule::Lars(Lars { clip: true, ..lars })),
        ("SGD", Rule::Sgd(sgd)),
        // Its first steps are the signs of gradients, whose smallest are rounding: a large epsilon takes these out.
        (
            "AdamW",
            Rule::AdamW(AdamW {
                epsilon: 1.0,
                ..AdamW::new(1e-4)
            }),
        ),
    ]
}

fn projector() -> MlpConfig {
    ProjectorConfig { widths: vec![16, 16] }.mlp(true)
}

fn model<B: TrainBackend>(device: &B::Device) -> Model<B> {
    let backbone = ResNetConfig::new(ResNetDepth::ResNet18)
        .with_stem(Stem::Cifar)
        .with_width(4)
        .with_zero_init_residual(false);
    ModelConfig::new(backbone, HeadsConfig::new(projector())).init(device, 3)
}

fn named<B: TrainBackend>(model: &Model<B>) -> StateDict {
    state_dict(model).expect("the names of a ResNet differ")
}

fn method<B: TrainBackend>() -> Box<dyn Method<B>> {
    let loss = LossSection {
        lambda: 0.05,
        scale: 0.1,
        ..LossSection::default()
    };
    let inputs = MethodInputs {
        views: ViewsConfig::default().groups(),
        projector: projector(),
        batch_size: 16,
        largest_buffer: None,
    };
    MethodSection::default().build(&loss, &inputs)
}

fn context<'a, B: TrainBackend>(
    model: &'a Model<B>,
    profile: &'a Profile,
) -> StepContext<'a, B, barlow_model::ResNet<B>> {
    StepContext {
        model,
        teacher: None,
        clock: Clock {
            step: 0,
            total_steps: STEPS,
            steps_per_epoch: STEPS,
        },
        seed: 0,
        profile,
    }
}

/// One step.
fn step<B: TrainBackend>(
    model: Model<B>,
    optimizer: &mut Optimizer<B::InnerBackend>,
    number: u64,
    device: &B::Device,
) -> Model<B> {
    let view = |seed| noise::<B, 4>([16, 3, 8, 8], seed, device);
    let batch = DeviceBatch {
        views: vec![view(10 + 2 * number), view(11 + 2 * number)],
        labels: vec![None; 16],
        indices: (0..16).collect(),
    };
    let profile = Profile::off();
    let gradients = step_gradients(&context(&model, &profile), method().as_mut(), batch).gradients;
    optimizer.step(model, gradients, RATES)
}

/// Weights and running statistics after some steps, and the features of other images.
fn trained<B: TrainBackend>(rule: Rule, device: &B::Device) -> (StateDict, Vec<f32>) {
    let mut optimizer = Optimizer::new(rule);
    let model = (0..STEPS).fold(model::<B>(device), |model, number| {
        step(model, &mut optimizer, number, device)
    });
    let images = noise::<B, 4>([16, 3, 8, 8], 50, device).inner();
    let features = model.valid().backbone.forward(images, NormMode::Eval);
    (named(&model), to_host(features))
}

/// The state after two steps with everything carried over the host after the first one, and without.
fn resumed<B: TrainBackend>(device: &B::Device) -> (StateDict, StateDict) {
    let rule = rules()[0].1;
    let mut optimizer = Optimizer::new(rule);
    let first = step(model::<B>(device), &mut optimizer, 0, device);
    let (weights, buffers) = (named(&first), optimizer.state());
    let whole = step(first, &mut optimizer, 1, device);

    let mut optimizer = Optimizer::<<B as AutodiffBackend>::InnerBackend>::new(rule);
    optimizer
        .load_state(&buffers, &weights, 1, device)
        .expect("its own state");
    let model = load_state_dict(model::<B>(device), &weights).expect("its own weights");
    let resumed = step(model, &mut optimizer, 1, device);
    (named(&resumed), named(&whole))
}

/// Two updates of a parameter by AdamW as torch has it, whose gradients are far from rounding.
fn updated<B: TrainBackend>(device: &B::Device) -> Vec<f32> {
    let adamw = AdamW::new(1e-2);
    let start = (noise::<B, 2>([7, 13], 60, device).inner(), Vec::new());
    let (value, _) = (0..STEPS).fold(start, |(value, buffers), step| {
        let update = Update {
            value,
            gradient: noise::<B, 2>([7, 13], 61 + step, device).inner(),
            buffers,
            decays: true,
            adapts: true,
            learning_rate: RATES.weights,
            step,
        };
        OptimOps::adamw(&adamw, update)
    });
    to_host(value)
}

/// The state after a step whose batch is computed in micro-batches.
fn cached<B: TrainBackend>(device: &B::Device) -> StateDict {
    let view = |seed| HostView {
        pixels: to_host(noise::<B, 4>([16, 3, 8, 8], seed, device)),
        size: 8,
        group: 0,
    };
    let batch = HostBatch {
        views: vec![view(70), view(71)],
        n: 16,
        channels: 3,
        labels: vec![None; 16],
        indices: (0..16).collect(),
    };
    let model = model::<B>(device);
    let profile = Profile::off();
    let context = context(&model, &profile);
    let gradients = cached_step_gradients(&context, method().as_mut(), &batch, 8, device).gradients;
    named(&Optimizer::new(rules()[0].1).step(model, gradients, RATES))
}
