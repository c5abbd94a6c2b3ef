//! Training steps of a small network: initial weights, gradients, every optimiser, and resuming from a checkpoint's tensors.

use super::values::{By, Measured, Reference, Values, noise};
use crate::backend::TrainBackend;
use crate::evaluation::to_host;
use crate::method::{Clock, Method, MethodInputs};
use crate::methods::{LossSection, MethodSection};
use crate::optim::{AdamW, Lars, LearningRates, OptimOps, Optimizer, Rule, Sgd, Update};
use crate::ranks::Ranks;
use crate::training::{Profile, StepContext, cached_step_gradients, step_gradients};
use barlow_augment::ViewsConfig;
use barlow_data::{DeviceBatch, HostBatch, HostView};
use barlow_model::{
    Backbone, BuiltinBackbone, HeadsConfig, MlpConfig, Model, ModelConfig, NormMode, ProjectorConfig, ResNetConfig,
    ResNetDepth, StateDict, Stem, VitConfig, VitSize, initialize, load_state_dict, state_dict,
};
use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;

/// Twenty layers, each of which adds rounding error; relative to a parameter's largest value.
const BOUND: f64 = 1e-3;
const STEPS: u64 = 2;
const RATES: LearningRates = LearningRates {
    weights: 0.05,
    biases: 0.01,
};

/// A part of training.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Initial weights, which are equal bit for bit on every backend.
    InitialWeights,
    /// Steps of a network with the official optimiser.
    Network,
    /// Steps of a projector with an optimiser: each kind of update, without the network's kernels again.
    Projector(&'static str, Rule),
    /// Updates of one parameter by AdamW as in PyTorch.
    AdamW,
    /// A step whose batch is computed in micro-batches.
    MicroBatches,
    /// A step of a small vision transformer with drop path.
    Vit,
    /// Steps before and after a checkpoint; the reference is the same steps without one.
    Resuming,
}

pub(super) fn all() -> Vec<Part> {
    let steps = rules().map(|(name, rule)| Part::Projector(name, rule));
    let others = [Part::AdamW, Part::MicroBatches, Part::Vit, Part::Resuming];
    let network = [Part::InitialWeights, Part::Network];
    network.into_iter().chain(steps).chain(others).collect()
}

impl Part {
    pub(super) fn values<B: TrainBackend>(&self, by: By, device: &B::Device) -> Values {
        let steps = |name: &str| format!("weights after {STEPS} steps of {name}");
        match self {
            Self::InitialWeights => vec![Measured::of_state("initial weights", named(&model::<B>(device)))],
            Self::Network => {
                let (name, rule) = rules()[0];
                let (weights, features) = trained::<B>(rule, device);
                let features = Measured::of(format!("features after {STEPS} steps of {name}"), features);
                vec![Measured::of_state(steps(name), weights), features]
            }
            Self::Projector(name, rule) => {
                let name = format!("a projector's weights after {STEPS} steps of {name}");
                vec![Measured::of_state(name, projected::<B>(*rule, device))]
            }
            Self::AdamW => {
                let name = steps("AdamW with torch's epsilon, on given gradients");
                vec![Measured::of(name, updated::<B>(device))]
            }
            Self::MicroBatches => vec![Measured::of_state(
                "weights after a step in micro-batches",
                cached::<B>(device),
            )],
            Self::Vit => vit::<B>(device),
            Self::Resuming => vec![Measured::of_state(
                "weights after resuming from a checkpoint",
                with_checkpoint::<B>(by == By::Backend, device),
            )],
        }
    }

    pub(super) fn reference(&self) -> Reference {
        match self {
            Self::Resuming => Reference::SameDevice,
            _ => Reference::Cpu,
        }
    }

    pub(super) fn bound(&self) -> f64 {
        match self {
            Self::InitialWeights => 0.0,
            Self::AdamW => 1e-5,
            Self::Resuming => 1e-6,
            Self::Network | Self::Projector(..) | Self::MicroBatches | Self::Vit => BOUND,
        }
    }
}

fn rules() -> [(&'static str, Rule); 5] {
    let lars = Lars {
        momentum: 0.9,
        weight_decay: 1e-4,
        trust_coefficient: 0.02,
        clip: false,
        separate_norms: false,
        rate_in_momentum: false,
    };
    let sgd = Sgd {
        momentum: 0.9,
        weight_decay: 1e-4,
    };
    [
        ("LARS", Rule::Lars(lars)),
        ("clipped LARS", Rule::Lars(Lars { clip: true, ..lars })),
        (
            "LARS with separate norms and the rate in its momentum",
            Rule::Lars(Lars {
                separate_norms: true,
                rate_in_momentum: true,
                ..lars
            }),
        ),
        ("SGD", Rule::Sgd(sgd)),
        // Its first steps are the signs of the gradients, the smallest of which are rounding error: a large epsilon suppresses
        // these.
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
    state_dict(model).expect("the names of a network differ")
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
    ranks: &'a Ranks,
) -> StepContext<'a, B, BuiltinBackbone<B>> {
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
        ranks,
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
    let gradients = step_gradients(&context(&model, &profile, &Ranks::alone()), method().as_mut(), batch).gradients;
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

/// Weights and running statistics of a projector with biases after some steps.
fn projected<B: TrainBackend>(rule: Rule, device: &B::Device) -> StateDict {
    let mut projector = projector();
    projector.layers.iter_mut().for_each(|layer| layer.bias = true);
    let heads = initialize(HeadsConfig::new(projector).init::<B>(16, device), 3);
    let mut optimizer = Optimizer::new(rule);
    let heads = (0..STEPS).fold(heads, |heads, number| {
        let z = heads
            .projector
            .forward(noise::<B, 2>([16, 16], 10 + number, device), NormMode::Train);
        // Not a sum: the gradient of a norm's scale would be rounding error.
        let loss = (z.square() * noise::<B, 2>([16, 16], 20 + number, device)).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &heads);
        optimizer.step(heads, gradients, RATES)
    });
    state_dict(&heads).expect("the names of the heads differ")
}

/// The state after two steps; if `interrupted`, everything passes through host memory after the first one.
fn with_checkpoint<B: TrainBackend>(interrupted: bool, device: &B::Device) -> StateDict {
    let rule = rules()[0].1;
    let mut optimizer = Optimizer::new(rule);
    let mut model = step(model::<B>(device), &mut optimizer, 0, device);
    if interrupted {
        let (weights, buffers) = (named(&model), optimizer.state());
        optimizer = Optimizer::<<B as AutodiffBackend>::InnerBackend>::new(rule);
        optimizer
            .load_state(&buffers, &weights, 1, device)
            .expect("its own state");
        model = load_state_dict(self::model::<B>(device), &weights).expect("its own weights");
    }
    named(&step(model, &mut optimizer, 1, device))
}

/// Two updates of a parameter by AdamW as in PyTorch, with gradients far larger than rounding error.
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
    let ranks = Ranks::alone();
    let context = context(&model, &profile, &ranks);
    let gradients = cached_step_gradients(&context, method().as_mut(), &batch, 8, device).gradients;
    named(&Optimizer::new(rules()[0].1).step(model, gradients, RATES))
}

/// Weights of a vision transformer after a step, and its features.
fn vit<B: TrainBackend>(device: &B::Device) -> Values {
    let backbone = VitConfig {
        width: 24,
        depth: 2,
        heads: 2,
        patch: 4,
        pixels: 8,
        drop_path: 0.3,
        ..VitConfig::new(VitSize::Tiny)
    };
    // Without batch norms in the projector: they would make the gradient of the last layer norm's shift zero, and its rounding
    // errors cannot be compared.
    let projector = ProjectorConfig { widths: vec![16, 16] }.mlp(false);
    let model = ModelConfig::new(backbone, HeadsConfig::new(projector)).init::<B>(device, 3);
    let (_, rule) = rules()[3];
    let model = step(model, &mut Optimizer::new(rule), 0, device);
    let images = noise::<B, 4>([16, 3, 8, 8], 50, device).inner();
    let features = model.valid().backbone.forward(images, NormMode::Eval);
    vec![
        Measured::of_state("weights of a ViT after a step of SGD", named(&model)),
        Measured::of("features of a ViT after a step of SGD", to_host(features)),
    ]
}
