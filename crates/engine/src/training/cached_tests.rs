//! Tests of cached gradients against one graph over the whole batch, and against the sum of micro-batch losses.

use super::*;
use crate::method::MethodBatch;
use crate::method::{Clock, MethodInputs, WholeSet};
use crate::methods::{LossSection, MethodKind, MethodSection};
use crate::ranks::Ranks;
use crate::training::{Profile, Teacher, step_gradients};
use barlow_augment::ViewsConfig;
use barlow_data::HostView;
use barlow_model::{
    Backbone, HeadsConfig, MlpConfig, Model, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth, StateDict, Stem,
    VitConfig, VitSize, state_dict,
};
use burn::backend::Autodiff;
use burn::module::AutodiffModule;
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
    let mut section = MethodSection::of(kind);
    section.byol.predictor = 16;
    section.simsiam.predictor = 8;
    section.moco_v2.queue = 32;
    section.moco_v3.predictor = 16;
    section.dino.prototypes = 5;
    section.dino.small_views = 1;
    section.swav.prototypes = 5;
    section.swav.small_views = 1;
    section.build(&loss, &inputs)
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

/// A batch of the method's views; those that are smaller than its first have 8 pixels.
fn batch(kind: MethodKind) -> HostBatch {
    let spec = method(kind).spec().clone();
    let (groups, sizes) = (spec.groups_of_views(), spec.sizes_of_views());
    let drawn: usize = spec.views.iter().map(|group| group.count).sum();
    let view = |view: usize| {
        let size = if sizes[view] == sizes[0] { SIZE } else { 8 };
        HostView {
            pixels: pixels(N * 3 * size * size, view + 1),
            size,
            group: groups[view],
        }
    };
    let mut batch = HostBatch {
        views: (0..drawn).map(view).collect(),
        n: N,
        channels: 3,
        labels: (0..N).map(|image| Some(image % 4)).collect(),
        indices: (0..N).collect(),
    };
    method(kind).derive(&mut batch, CLOCK, 0);
    batch
}

/// The embeddings of each view, micro-batch by micro-batch and pass by pass, in one graph.
fn embeddings(kind: MethodKind, model: &Model<Diff>, batch: &HostBatch, micro_batch: usize) -> Vec<Tensor<Diff, 2>> {
    let mut embeddings: Vec<Vec<Tensor<Diff, 2>>> = batch.views.iter().map(|_| Vec::new()).collect();
    for passes in method(kind).spec().passes_by_head() {
        for start in (0..N).step_by(micro_batch) {
            let rows = start..N.min(start + micro_batch);
            let representations = passes.iter().map(|pass| {
                let of_view = |&view: &usize| batch.rows_to_device::<Diff>(view, rows.clone(), &FlexDevice);
                let images = Tensor::cat(pass.iter().map(of_view).collect(), 0);
                model.backbone.forward(images, NormMode::Train)
            });
            let h = Tensor::cat(representations.collect(), 0);
            let z = model.heads.projector.forward(h, NormMode::Train);
            for (index, &view) in passes.iter().flatten().enumerate() {
                embeddings[view].push(z.clone().narrow(0, index * rows.len(), rows.len()));
            }
        }
    }
    embeddings.retain(|parts| !parts.is_empty());
    embeddings.into_iter().map(|parts| Tensor::cat(parts, 0)).collect()
}

/// The method after its pass over the whole set, where it wants one.
fn ready(kind: MethodKind, model: &Model<Diff>) -> Box<dyn Method<Diff>> {
    let mut method = method(kind);
    if method.wants_whole_set(CLOCK) {
        let mut set = WholeSet::new(N, model.heads.projector.hidden_width());
        let images: Vec<usize> = (0..N).collect();
        set.put(&images, &pixels(N * set.width(), 9));
        assert!(method.whole_set(&model.heads.valid(), &set, CLOCK, 0, &|| false));
    }
    method
}

/// The loss of the views' embeddings by a method.
fn loss(kind: MethodKind, model: &Model<Diff>, embeddings: Vec<Tensor<Diff, 2>>) -> Tensor<Diff, 1> {
    let mut method = ready(kind, model);
    let indices: Vec<usize> = (0..embeddings[0].dims()[0]).collect();
    let labels: Vec<_> = indices.iter().map(|image| Some(image % 4)).collect();
    let batch = MethodBatch {
        teacher: vec![None; embeddings.len()],
        teacher_heads: None,
        embeddings,
        groups: &method.spec().groups_of_views(),
        indices: &indices,
        labels: &labels,
        clock: CLOCK,
        seed: 0,
    };
    method.loss(&model.heads, batch).loss
}

fn in_one_graph(kind: MethodKind, model: &Model<Diff>, micro_batch: usize) -> (Vec<f32>, f64) {
    let batch = batch(kind);
    let embeddings = embeddings(kind, model, &batch, micro_batch);
    let loss = loss(kind, model, embeddings);
    let value = f64::from(loss.clone().into_scalar());
    (flat(GradientsParams::from_grads(loss.backward(), model), model), value)
}

/// A step's gradients: of the whole batch in one pass, or in micro-batches. A method's teacher is a copy of the network.
fn step(kind: MethodKind, model: &Model<Diff>, micro_batch: Option<usize>) -> (Vec<f32>, f64) {
    let profile = Profile::off();
    let mut method = ready(kind, model);
    let teacher = method.spec().teacher.clone().map(|spec| Teacher::new(spec, model));
    let context = StepContext {
        model,
        teacher: teacher.as_ref(),
        clock: CLOCK,
        seed: 0,
        profile: &profile,
        ranks: &Ranks::alone(),
    };
    let batch = batch(kind);
    let step = match micro_batch {
        Some(images) => cached_step_gradients(&context, method.as_mut(), &batch, images, &FlexDevice),
        None => step_gradients(&context, method.as_mut(), batch.to_device(&FlexDevice)),
    };
    (flat(step.gradients, model), step.readings.read().loss())
}

fn cached(kind: MethodKind, model: &Model<Diff>, micro_batch: usize) -> (Vec<f32>, f64) {
    step(kind, model, Some(micro_batch))
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
        // The loop does not know the method, so that one division is enough for most of them.
        let micro_batches: &[usize] = match kind {
            MethodKind::BarlowTwins => &[4, 8, 24, 100],
            _ => &[8],
        };
        for &micro_batch in micro_batches {
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
fn one_pass_and_the_cached_passes_agree_for_every_method() {
    for &kind in MethodKind::ALL {
        let (one, two) = (model(kind), model(kind));
        let (expected, expected_loss) = step(kind, &one, None);
        let (found, found_loss) = step(kind, &two, Some(N));
        assert_eq!(found_loss, expected_loss, "{}", kind.name());
        let distance = distance(&found, &expected);
        assert!(distance < 1e-6, "{}: {distance}", kind.name());
        assert!(
            statistics(&one) == statistics(&two),
            "{}: running statistics",
            kind.name()
        );
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
    let batch = batch(kind);
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
            ranks: &Ranks::alone(),
        };
        let batch = batch(kind).to_device::<Diff>(&FlexDevice);
        flat(step_gradients(&context, method(kind).as_mut(), batch).gradients, model)
    };
    let (dropped, certain) = (model(0.5), model(0.0));
    let expected = whole(&dropped, 0);
    assert!(distance(&cached(kind, &dropped, 8).0, &expected) < 1e-4);
    assert!(distance(&whole(&certain, 0), &expected) > 1e-2, "something is dropped");
    assert!(distance(&whole(&dropped, 1), &expected) > 1e-2, "by the seed");
    assert_eq!(whole(&dropped, 0), expected);
}
