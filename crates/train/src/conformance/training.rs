//! A small network's steps: initial weights, gradients, every optimiser, and going on from a checkpoint's tensors.

use super::{Comparison, Right, noise};
use crate::backend::TrainBackend;
use crate::optim::{AdamW, Lars, LearningRates, OptimOps, Optimizer, Rule, Sgd, Update};
use crate::pretrain::{Profile, cached_step_gradients, step_gradients, to_host};
use barlow_data::HostBatch;
use barlow_loss::BarlowTwinsLossConfig;
use barlow_model::{
    BarlowTwinsModel, BarlowTwinsModelConfig, NormMode, ResNetConfig, ResNetDepth, StateDict, Stem, load_state_dict,
    state_dict,
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

pub(super) fn suite<B: TrainBackend>(device: &B::Device, tell: &mut dyn FnMut(&Comparison)) {
    let (got, right) = (
        state_dict(&model::<B>(device)),
        state_dict(&model::<Right>(&FlexDevice)),
    );
    // Bit for bit.
    let all = |state: StateDict| -> Vec<f32> { state.into_values().flat_map(|tensor| tensor.data).collect() };
    tell(&Comparison::of("initial weights".into(), &all(got), &all(right), 0.0));
    let steps = |name: &str| format!("weights after {STEPS} steps of {name}");
    for (name, rule) in rules() {
        let (got, features) = trained::<B>(rule, device);
        let (right, right_features) = trained::<Right>(rule, &FlexDevice);
        tell(&weights(steps(name), &got, &right, BOUND));
        let name = format!("features after {STEPS} steps of {name}");
        tell(&Comparison::of(name, &features, &right_features, BOUND));
    }
    let (got, right) = (updated::<B>(device), updated::<Right>(&FlexDevice));
    tell(&Comparison::of(
        steps("AdamW with torch's epsilon, on given gradients"),
        &got,
        &right,
        1e-5,
    ));
    let (got, right) = (cached::<B>(device), cached::<Right>(&FlexDevice));
    tell(&weights(
        "weights after a step in micro-batches".into(),
        &got,
        &right,
        BOUND,
    ));
    let (resumed, whole) = resumed::<B>(device);
    tell(&weights(
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

fn model<B: TrainBackend>(device: &B::Device) -> BarlowTwinsModel<B> {
    let backbone = ResNetConfig::new(ResNetDepth::ResNet18)
        .with_stem(Stem::Cifar)
        .with_width(4)
        .with_zero_init_residual(false);
    BarlowTwinsModelConfig::new(backbone, "16-16".parse().expect("two widths")).init(device, 3)
}

/// One step.
fn step<B: TrainBackend>(
    model: BarlowTwinsModel<B>,
    optimizer: &mut Optimizer<B::InnerBackend>,
    number: u64,
    device: &B::Device,
) -> BarlowTwinsModel<B> {
    let view = |seed| noise::<B, 4>([16, 3, 8, 8], seed, device);
    let views = [view(10 + 2 * number), view(11 + 2 * number)];
    let loss = BarlowTwinsLossConfig::new().with_lambda(0.05).with_scale(0.1).init();
    let gradients = step_gradients(&model, &loss, views, &Profile::off()).gradients;
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
    (state_dict(&model), to_host(features))
}

/// The state after two steps with everything carried over the host after the first one, and without.
fn resumed<B: TrainBackend>(device: &B::Device) -> (StateDict, StateDict) {
    let rule = rules()[0].1;
    let mut optimizer = Optimizer::new(rule);
    let first = step(model::<B>(device), &mut optimizer, 0, device);
    let (weights, buffers) = (state_dict(&first), optimizer.state());
    let whole = step(first, &mut optimizer, 1, device);

    let mut optimizer = Optimizer::<<B as AutodiffBackend>::InnerBackend>::new(rule);
    optimizer
        .load_state(&buffers, &weights, 1, device)
        .expect("its own state");
    let model = load_state_dict(model::<B>(device), &weights).expect("its own weights");
    let resumed = step(model, &mut optimizer, 1, device);
    (state_dict(&resumed), state_dict(&whole))
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
            is_vector: false,
            learning_rate: RATES.weights,
            step,
        };
        OptimOps::adamw(&adamw, update)
    });
    to_host(value)
}

/// The state after a step whose batch is computed in micro-batches.
fn cached<B: TrainBackend>(device: &B::Device) -> StateDict {
    let view = |seed| to_host(noise::<B, 4>([16, 3, 8, 8], seed, device));
    let batch = HostBatch {
        view_a: view(70),
        view_b: view(71),
        n: 16,
        channels: 3,
        size: 8,
        labels: vec![None; 16],
        indices: (0..16).collect(),
    };
    let loss = BarlowTwinsLossConfig::new().with_lambda(0.05).with_scale(0.1).init();
    let model = model::<B>(device);
    let gradients = cached_step_gradients(&model, &loss, &batch, 8, device, &Profile::off()).gradients;
    state_dict(&Optimizer::new(rules()[0].1).step(model, gradients, RATES))
}
