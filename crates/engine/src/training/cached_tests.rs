//! Tests of cached gradients against one graph over the whole batch, and against the sum of micro-batch losses.

use super::*;
use crate::method::{Clock, MethodInputs};
use crate::methods::{LossSection, MethodKind, MethodSection};
use crate::training::{Profile, step_gradients};
use barlow_augment::ViewsConfig;
use barlow_data::HostView;
use barlow_model::{
    HeadsConfig, MlpConfig, Model, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth, StateDict, Stem, VitConfig,
    VitSize, state_dict,
};
use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};

#[path = "../../tests/common/gradients.rs"]
mod gradients;
use gradients::{distance, flat, pixels};

type Diff = Autodiff<Flex>;

const N: usize = 24;
const SIZE: usize = 12;

fn projector() -> MlpConfig {
    ProjectorConfig { widths: vec![16, 16] }.mlp(true)
}

fn method(kind: MethodKind) -> Box<dyn Method<Diff>> {
    let loss = LossSection {
        lambda: 0.05,
        ..LossSection::default()
    };
    let inputs = MethodInputs {
        views: ViewsConfig::default().groups(),
        projector: projector(),
        batch_size: N,
        largest_buffer: None,
    };
    MethodSection::of(kind).build(&loss, &inputs)
}

fn model(kind: MethodKind) -> Model<Diff> {
    let backbone = ResNetConfig {
        depth: ResNetDepth::ResNet18,
        stem: Stem::Cifar,
        stem_padding: 1,
        width: 4,
        in_channels: 3,
        zero_init_residual: false,
    };
    ModelConfig::new(backbone, method(kind).spec().heads.clone()).init(&FlexDevice, 7)
}

const CLOCK: Clock = Clock {
    step: 0,
    total_steps: 1,
    steps_per_epoch: 1,
};

fn batch() -> HostBatch {
    let view = |seed: usize| HostView {
        pixels: pixels(N * 3 * SIZE * SIZE, seed),
        size: SIZE,
        group: seed - 1,
    };
    HostBatch {
        views: vec![view(1), view(2)],
        n: N,
        channels: 3,
        labels: vec![None; N],
        indices: (0..N).collect(),
    }
}

/// The embeddings of a view, micro-batch by micro-batch, in one graph.
fn embeddings(model: &Model<Diff>, batch: &HostBatch, view: usize, micro_batch: usize) -> Tensor<Diff, 2> {
    let part = |start: usize| {
        let rows = start..N.min(start + micro_batch);
        let images = batch.rows_to_device::<Diff>(view, rows, &FlexDevice);
        model.forward(images, NormMode::Train).embeddings
    };
    Tensor::cat((0..N).step_by(micro_batch).map(part).collect(), 0)
}

/// The loss of both views' embeddings by a method.
fn loss(kind: MethodKind, model: &Model<Diff>, embeddings: Vec<Tensor<Diff, 2>>) -> Tensor<Diff, 1> {
    let indices: Vec<usize> = (0..embeddings[0].dims()[0]).collect();
    let batch = MethodBatch {
        embeddings,
        teacher: vec![None; 2],
        groups: &[0, 1],
        indices: &indices,
        clock: CLOCK,
        seed: 0,
    };
    method(kind).loss(&model.heads, batch).loss
}

fn in_one_graph(kind: MethodKind, model: &Model<Diff>, micro_batch: usize) -> (Vec<f32>, f64) {
    let batch = batch();
    let embeddings = [0, 1].map(|view| embeddings(model, &batch, view, micro_batch));
    let loss = loss(kind, model, embeddings.into());
    let value = f64::from(loss.clone().into_scalar());
    (flat(GradientsParams::from_grads(loss.backward(), model), model), value)
}

fn cached(kind: MethodKind, model: &Model<Diff>, micro_batch: usize) -> (Vec<f32>, f64) {
    let profile = Profile::off();
    let context = StepContext {
        model,
        teacher: None,
        clock: CLOCK,
        seed: 0,
        profile: &profile,
    };
    let step = cached_step_gradients(&context, method(kind).as_mut(), &batch(), micro_batch, &FlexDevice);
    (flat(step.gradients, model), step.readings.read().loss())
}

fn statistics(model: &Model<Diff>) -> StateDict {
    let mut state = state_dict(model).unwrap();
    state.retain(|name, _| name.contains("running"));
    state
}

/// For every method that needs no teacher.
#[test]
fn equals_one_graph_over_the_whole_batch() {
    for &kind in MethodKind::ALL {
        if method(kind).spec().teacher.is_some() {
            continue;
        }
        for micro_batch in [4, 8, 24, 100] {
            let what = format!("{}, micro-batch {micro_batch}", kind.name());
            let (one, two) = (model(kind), model(kind));
            let (expected, expected_loss) = in_one_graph(kind, &one, micro_batch);
            let (found, found_loss) = cached(kind, &two, micro_batch);
            assert_eq!(found_loss, expected_loss, "{what}");
            let distance = distance(&found, &expected);
            assert!(distance < 1e-6, "{what}: {distance}");
            assert!(statistics(&one) == statistics(&two), "{what}: running statistics");
            assert!(
                statistics(&one) != statistics(&model(kind)),
                "{what}: they have been updated"
            );
        }
    }
}

#[test]
fn a_step_over_the_batch_at_once_differs_by_the_batch_norm_alone() {
    let kind = MethodKind::BarlowTwins;
    let (whole, _) = in_one_graph(kind, &model(kind), N);
    let (same, _) = cached(kind, &model(kind), N);
    assert!(distance(&same, &whole) < 1e-6);
    let (parts, _) = cached(kind, &model(kind), 8);
    assert!(
        distance(&parts, &whole) > 1e-3,
        "batch norm sees eight images, and not all"
    );
}

#[test]
fn adding_up_the_losses_of_micro_batches_is_another_thing() {
    let kind = MethodKind::BarlowTwins;
    let model = model(kind);
    let batch = batch();
    let (expected, _) = in_one_graph(kind, &model, 8);
    let mut sum = GradientsAccumulator::new();
    for start in (0..N).step_by(8) {
        let embeddings = [0, 1].map(|view| {
            let images = batch.rows_to_device::<Diff>(view, start..start + 8, &FlexDevice);
            model.forward(images, NormMode::TrainFrozenStats).embeddings
        });
        let loss = loss(kind, &model, embeddings.into()) / 3.0;
        sum.accumulate(&model, GradientsParams::from_grads(loss.backward(), &model));
    }
    let distance = distance(&flat(sum.grads(), &model), &expected);
    assert!(distance > 0.1, "{distance}");
}

/// Both passes of a micro-batch drop the branches that the whole batch drops. Without a batch norm one pass over the batch and
/// cached gradients are the same but for rounding.
#[test]
fn drop_path_is_that_of_the_whole_batch() {
    let kind = MethodKind::BarlowTwins;
    let vit = |drop_path| VitConfig {
        width: 24,
        depth: 2,
        heads: 2,
        patch: SIZE / 2,
        pixels: SIZE,
        drop_path,
        ..VitConfig::new(VitSize::Tiny)
    };
    let projector = ProjectorConfig { widths: vec![16] }.mlp(false);
    let model = |drop_path| ModelConfig::new(vit(drop_path), HeadsConfig::new(projector.clone())).init(&FlexDevice, 7);
    let whole = |model: &Model<Diff>, seed| {
        let profile = Profile::off();
        let context = StepContext {
            model,
            teacher: None,
            clock: CLOCK,
            seed,
            profile: &profile,
        };
        let batch = batch().to_device::<Diff>(&FlexDevice);
        flat(step_gradients(&context, method(kind).as_mut(), batch).gradients, model)
    };
    let (dropped, certain) = (model(0.5), model(0.0));
    let expected = whole(&dropped, 0);
    assert!(distance(&cached(kind, &dropped, 8).0, &expected) < 1e-4);
    assert!(distance(&whole(&certain, 0), &expected) > 1e-2, "something is dropped");
    assert!(distance(&whole(&dropped, 1), &expected) > 1e-2, "by the seed");
    assert_eq!(whole(&dropped, 0), expected);
}
