//! Cached gradients against one graph over the whole batch, and what they are better than.

use super::*;
use barlow_loss::{BarlowTwinsLoss, BarlowTwinsLossConfig};
use barlow_model::{BarlowTwinsModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth, StateDict, Stem, state_dict};
use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn_flex::{Flex, FlexDevice};
use std::str::FromStr;

type Diff = Autodiff<Flex>;

const N: usize = 24;
const SIZE: usize = 12;

fn model() -> BarlowTwinsModel<Diff> {
    let backbone = ResNetConfig {
        depth: ResNetDepth::ResNet18,
        stem: Stem::Cifar,
        width: 4,
        in_channels: 3,
        zero_init_residual: false,
    };
    let projector = ProjectorConfig::from_str("16-16").unwrap();
    BarlowTwinsModelConfig::new(backbone, projector).init(&FlexDevice, 7)
}

fn loss() -> BarlowTwinsLoss {
    BarlowTwinsLossConfig::new().with_lambda(0.05).init()
}

fn batch() -> HostBatch {
    let view = |seed: usize| {
        let value = |i: usize| (((i * 2_654_435_761 + seed * 97) % 1_000_003) as f32 * 0.37).sin();
        (0..N * 3 * SIZE * SIZE).map(value).collect()
    };
    HostBatch {
        view_a: view(1),
        view_b: view(2),
        n: N,
        channels: 3,
        size: SIZE,
        labels: vec![None; N],
        indices: (0..N).collect(),
    }
}

/// All gradients, one after the other in the order of the parameters.
fn flat(gradients: GradientsParams, model: &BarlowTwinsModel<Diff>) -> Vec<f32> {
    struct Reader(GradientsParams, Vec<f32>);
    impl ModuleVisitor<Diff> for Reader {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
            if let Some(gradient) = self.0.get::<Flex, D>(param.id) {
                self.1.extend(gradient.into_data().to_vec::<f32>().unwrap());
            }
        }
    }
    let mut reader = Reader(gradients, Vec::new());
    model.visit(&mut reader);
    reader.1
}

/// The embeddings of a view, micro-batch by micro-batch, in one graph.
fn embeddings(model: &BarlowTwinsModel<Diff>, batch: &HostBatch, view: &[f32], micro_batch: usize) -> Tensor<Diff, 2> {
    let part = |start: usize| {
        let rows = start..N.min(start + micro_batch);
        let images = batch.rows_to_device::<Diff>(view, rows, &FlexDevice);
        model.forward(images, NormMode::Train).embeddings
    };
    Tensor::cat((0..N).step_by(micro_batch).map(part).collect(), 0)
}

fn in_one_graph(model: &BarlowTwinsModel<Diff>, micro_batch: usize) -> (Vec<f32>, f64) {
    let batch = batch();
    let [z_a, z_b] = [&batch.view_a, &batch.view_b].map(|view| embeddings(model, &batch, view, micro_batch));
    let loss = loss().forward(z_a, z_b).loss;
    let value = f64::from(loss.clone().into_scalar());
    (flat(GradientsParams::from_grads(loss.backward(), model), model), value)
}

fn cached(model: &BarlowTwinsModel<Diff>, micro_batch: usize) -> (Vec<f32>, f64) {
    let step = cached_step_gradients(model, &loss(), &batch(), micro_batch, &FlexDevice, &Profile::off());
    (flat(step.gradients, model), step.values.read().loss)
}

/// ‖a − b‖ / ‖b‖
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert!(a.len() == b.len() && a.len() > 10_000, "{} and {}", a.len(), b.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let norm = square(&mut b.iter().map(|&b| f64::from(b)));
    square(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b))) / norm
}

fn statistics(model: &BarlowTwinsModel<Diff>) -> StateDict {
    let mut state = state_dict(model);
    state.retain(|name, _| name.contains("running"));
    state
}

#[test]
fn equals_one_graph_over_the_whole_batch() {
    for micro_batch in [4, 8, 24, 100] {
        let (one, two) = (model(), model());
        let (expected, expected_loss) = in_one_graph(&one, micro_batch);
        let (found, found_loss) = cached(&two, micro_batch);
        assert_eq!(found_loss, expected_loss, "micro-batch {micro_batch}");
        let distance = distance(&found, &expected);
        assert!(distance < 1e-6, "micro-batch {micro_batch}: {distance}");
        assert!(
            statistics(&one) == statistics(&two),
            "micro-batch {micro_batch}: running statistics"
        );
        assert!(statistics(&one) != statistics(&model()), "they have moved");
    }
}

#[test]
fn a_step_over_the_batch_at_once_differs_by_the_batch_norm_alone() {
    let (whole, _) = in_one_graph(&model(), N);
    let (same, _) = cached(&model(), N);
    assert!(distance(&same, &whole) < 1e-6);
    let (parts, _) = cached(&model(), 8);
    assert!(
        distance(&parts, &whole) > 1e-3,
        "batch norm sees eight images, and not all"
    );
}

#[test]
fn adding_up_the_losses_of_micro_batches_is_another_thing() {
    let model = model();
    let batch = batch();
    let (expected, _) = in_one_graph(&model, 8);
    let mut sum = GradientsAccumulator::new();
    for start in (0..N).step_by(8) {
        let [z_a, z_b] = [&batch.view_a, &batch.view_b].map(|view| {
            let images = batch.rows_to_device::<Diff>(view, start..start + 8, &FlexDevice);
            model.forward(images, NormMode::TrainFrozenStats).embeddings
        });
        let loss = loss().forward(z_a, z_b).loss / 3.0;
        sum.accumulate(&model, GradientsParams::from_grads(loss.backward(), &model));
    }
    let distance = distance(&flat(sum.grads(), &model), &expected);
    assert!(distance > 0.1, "{distance}");
}
