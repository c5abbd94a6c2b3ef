//! Example of the loss in Burn's `Learner`, for users with an existing training loop: network, data loader, optimiser and metrics
//! are Burn's, and `barlow-loss` is the only crate of this project.
//!
//!     cargo run --release --manifest-path crates/loss/examples/learner/Cargo.toml -- runs/learner
//!
//! The data are points of a plane. A view is twelve noisy readings of a point; two views of a pair share only the point.

use barlow_loss::ops::LossOps;
use barlow_loss::{BarlowTwinsLoss, BarlowTwinsLossConfig};
use burn::backend::Autodiff;
use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::activation::relu;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Distribution, Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use burn_train::metric::{Adaptor, ItemLazy, LossInput, LossMetric};
use burn_train::{InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep};
use std::path::Path;

const READINGS: usize = 12;
const PAIRS: usize = 128;

/// Two layers from readings to embeddings. The loss can be a part of the module because it has no parameters.
#[derive(Module, Debug)]
struct Embedder<B: Backend> {
    first: Linear<B>,
    second: Linear<B>,
    loss: BarlowTwinsLoss,
}

impl<B: Backend> Embedder<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            first: LinearConfig::new(READINGS, 64).init(device),
            second: LinearConfig::new(64, 16).init(device),
            loss: BarlowTwinsLossConfig::new().init(),
        }
    }
}

impl<B: LossOps> Embedder<B> {
    fn loss(&self, views: Views<B>) -> Tensor<B, 1> {
        let embed = |view| self.second.forward(relu(self.first.forward(view)));
        self.loss.forward(embed(views.a), embed(views.b)).loss
    }
}

/// Two views, [N, READINGS] each; row k of both is a view of point k.
#[derive(Clone, Debug)]
struct Views<B: Backend> {
    a: Tensor<B, 2>,
    b: Tensor<B, 2>,
}

/// Makes two views of every point.
struct TwoViews;

impl<B: Backend> Batcher<B, [f32; 2], Views<B>> for TwoViews {
    fn batch(&self, points: Vec<[f32; 2]>, device: &B::Device) -> Views<B> {
        let n = points.len();
        let points = Tensor::<B, 2>::from_data(TensorData::new(points.concat(), [n, 2]), device);
        // Each reading is a wave over the plane, with a different direction for each.
        let directions: Vec<f32> = (0..READINGS)
            .map(|k| 3.0 * k as f32)
            .flat_map(|angle| [angle.cos(), angle.sin()])
            .collect();
        let directions = Tensor::<B, 2>::from_data(TensorData::new(directions, [READINGS, 2]), device);
        let clean = points.matmul(directions.transpose()).sin();
        let noise = || Tensor::random([n, READINGS], Distribution::Normal(0.0, 0.2), device);
        Views {
            a: clean.clone() + noise(),
            b: clean.clone() + noise(),
        }
    }
}

/// The output of a step for the learner's metrics.
struct StepLoss<B: Backend>(Tensor<B, 1>);

impl<B: Backend> ItemLazy for StepLoss<B> {
    type ItemSync = StepLoss<Flex>;

    fn sync(self) -> Self::ItemSync {
        StepLoss(Tensor::from_data(self.0.into_data(), &FlexDevice))
    }
}

impl<B: Backend> Adaptor<LossInput<B>> for StepLoss<B> {
    fn adapt(&self) -> LossInput<B> {
        LossInput::new(self.0.clone())
    }
}

impl<B: AutodiffBackend + LossOps> TrainStep for Embedder<B> {
    type Input = Views<B>;
    type Output = StepLoss<B>;

    fn step(&self, views: Views<B>) -> TrainOutput<StepLoss<B>> {
        let loss = self.loss(views);
        TrainOutput::new(self, loss.backward(), StepLoss(loss.detach()))
    }
}

impl<B: LossOps> InferenceStep for Embedder<B> {
    type Input = Views<B>;
    type Output = StepLoss<B>;

    fn step(&self, views: Views<B>) -> StepLoss<B> {
        StepLoss(self.loss(views))
    }
}

/// Points spread evenly over a square of side 2.
fn points(count: usize, shift: f32) -> InMemDataset<[f32; 2]> {
    let place = |k: usize, step: f32| 2.0 * ((k as f32 + shift) * step).fract() - 1.0;
    // Steps of the 2-D golden ratio, so that no two points are near each other.
    InMemDataset::new(
        (0..count)
            .map(|k| [place(k, 0.754_877_7), place(k, 0.569_840_3)])
            .collect(),
    )
}

/// Returns the loss of new points and views before and after training, and its floor.
fn train<B: AutodiffBackend<InnerBackend: LossOps> + LossOps>(folder: &Path, device: &B::Device) -> [f64; 3] {
    B::seed(device, 0);
    let model = Embedder::<B>::new(device);
    let judge = |model: &Embedder<B::InnerBackend>| -> f64 {
        let loader = DataLoaderBuilder::<B::InnerBackend, _, _>::new(TwoViews)
            .batch_size(PAIRS)
            .build(points(PAIRS, 0.5));
        let views = loader.iter().next().expect("one batch");
        model.loss(views).into_data().iter::<f64>().sum()
    };
    let floor = model.loss.floor(PAIRS, 16).expect("the default objective has a floor");
    let before = judge(&burn::module::AutodiffModule::valid(&model));
    let training = DataLoaderBuilder::new(TwoViews)
        .batch_size(PAIRS)
        .build(points(2048, 0.0));
    let validation = DataLoaderBuilder::new(TwoViews)
        .batch_size(PAIRS)
        .build(points(256, 0.5));
    let result = SupervisedTraining::new(folder, training, validation)
        .metrics((LossMetric::<Flex>::new(),))
        .num_epochs(10)
        .launch(Learner::new(model, AdamConfig::new().init(), 3e-3));
    [before, judge(&result.model), floor]
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "runs/learner".to_owned());
    let [before, after, floor] = train::<Autodiff<Flex>>(Path::new(&folder), &FlexDevice);
    println!("loss {before:.3} before, {after:.3} after, floor {floor:.3}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burns_learner_trains_with_the_loss() {
        let folder = tempfile::tempdir().unwrap();
        let [before, after, floor] = train::<Autodiff<Flex>>(folder.path(), &FlexDevice);
        assert!(
            after < 0.5 * before && after > floor,
            "loss {before} before, {after} after, floor {floor}"
        );
    }
}
