//! A small network's steps: initial weights, gradients, every optimiser, and going on from a checkpoint's tensors.

use super::{Comparison, Right, Values, compare, noise};
use crate::backend::TrainBackend;
use crate::optim::{AdamW, Lars, LearningRates, Optimizer, Rule, Sgd};
use crate::pretrain::{Profile, step_gradients};
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
    let initial = |values: StateDict| named("initial weights", values);
    let (got, right) = (
        state_dict(&model::<B>(device)),
        state_dict(&model::<Right>(&FlexDevice)),
    );
    compare(initial(got), initial(right), 0.0, tell);
    for (name, rule) in rules() {
        let (got, representations) = trained::<B>(rule, device);
        let (right, right_representations) = trained::<Right>(rule, &FlexDevice);
        compare(
            named(&format!("weights after {STEPS} steps of {name}"), got),
            named("", right),
            BOUND,
            tell,
        );
        let features = |values| vec![(format!("features after {STEPS} steps of {name}"), values)];
        compare(features(representations), features(right_representations), BOUND, tell);
    }
    let (resumed, whole) = resumed::<B>(device);
    compare(
        named("weights after going on from a checkpoint", resumed),
        named("", whole),
        1e-6,
        tell,
    );
}

/// All tensors as one row of values, so that each optimiser is one line.
fn named(name: &str, state: StateDict) -> Values {
    let values = state.into_values().flat_map(|tensor| {
        // As parts of its own largest value: a network's biases are far smaller than its weights.
        let largest = tensor.data.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
        tensor.data.into_iter().map(move |x| x / largest)
    });
    vec![(name.to_owned(), values.collect())]
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
    (state_dict(&model), super::host(features))
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
