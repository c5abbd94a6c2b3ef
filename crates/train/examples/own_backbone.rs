//! Pre-trains a custom backbone on custom images with a custom loss. Everything else is the program's: views, checkpoints,
//! resuming, metrics, kNN and linear probe, report.
//!
//!     cargo run -p train --release --example own_backbone -- runs/own-backbone
//!
//! Run it again and it resumes where it was stopped, or reports that it is finished. `knn --from` and the program's other
//! commands cannot build the network; `backbone.safetensors` and the checkpoints hold its weights by the names of its fields.

use barlow_augment::{Image8, Normalization, RgbImage8};
use barlow_data::{DataError, ImageSource};
use barlow_engine::config::Config;
use barlow_engine::method::TwinLoss;
use barlow_engine::metrics::{Metric, MetricsSink};
use barlow_engine::run::Run;
use barlow_engine::sources::Sources;
use barlow_loss::{BarlowTwinsLoss, BarlowTwinsOutput};
use barlow_model::{Backbone, BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, NormMode};
use barlow_ops::{ModelOps, mean_pool2d};
use burn::backend::Autodiff;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::{Flex, FlexDevice};
use std::sync::Arc;

/// Three convolutions that halve the image, each with its norm.
#[derive(Module, Debug)]
struct SmallNet<B: Backend> {
    convs: Vec<Conv2d<B>>,
    norms: Vec<BatchNorm<B>>,
    features: usize,
}

impl<B: Backend> SmallNet<B> {
    fn new(width: usize, device: &B::Device) -> Self {
        let channels = [3, width, 2 * width, 4 * width];
        let pairs = || channels.windows(2).map(|pair| (pair[0], pair[1]));
        Self {
            convs: pairs()
                .map(|(from, to)| Conv2dConfig::new(from, to, 3, 2).init(device))
                .collect(),
            norms: pairs().map(|(_, to)| BatchNormConfig::new(to).init(device)).collect(),
            features: 4 * width,
        }
    }
}

impl<B: ModelOps> Backbone<B> for SmallNet<B> {
    fn feature_dim(&self) -> usize {
        self.features
    }

    fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2> {
        let layers = self.convs.iter().zip(&self.norms);
        mean_pool2d(layers.fold(images, |x, (conv, norm)| norm.forward_relu(conv.forward(x), mode)))
    }
}

/// Horizontal, vertical and diagonal stripes, each image with its own colours, phase and width.
struct Stripes {
    count: usize,
    seed: usize,
    classes: Vec<String>,
}

impl Stripes {
    fn new(count: usize, seed: usize) -> Self {
        let classes = ["lying", "standing", "leaning"].map(str::to_owned).to_vec();
        Self { count, seed, classes }
    }
}

impl ImageSource for Stripes {
    fn len(&self) -> usize {
        self.count
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        3
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index % self.classes.len())
    }

    fn name(&self, index: usize) -> String {
        format!("stripes {index} of {}", self.seed)
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        let mut state = (self.seed + index) as u64 * 2 + 1;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let colours = [(); 2].map(|()| [(); 3].map(|()| draw(256) as u8));
        let (phase, width) = (draw(8) as usize, 3 + draw(3) as usize);
        let image = RgbImage8::from_fn(24, 24, |x, y| {
            let along = match index % 3 {
                0 => y,
                1 => x,
                _ => x + y,
            };
            colours[(along + phase) / width % 2]
        });
        Ok(Arc::new(image.into()))
    }
}

/// Barlow Twins, plus a penalty on the embeddings' size.
struct SmallEmbeddings(BarlowTwinsLoss);

impl<B: Backend> TwinLoss<B> for SmallEmbeddings
where
    BarlowTwinsLoss: TwinLoss<B>,
{
    fn forward(&self, z_a: Tensor<B, 2>, z_b: Tensor<B, 2>) -> BarlowTwinsOutput<B> {
        let size = (z_a.clone().square() + z_b.clone().square()).mean();
        let mut output = TwinLoss::forward(&self.0, z_a, z_b);
        output.loss = output.loss + size * 0.01;
        output
    }
}

/// Collects the accuracies as they are logged.
struct Accuracies<'a>(&'a mut Vec<f64>);

impl MetricsSink for Accuracies<'_> {
    fn write(&mut self, metric: &Metric) -> anyhow::Result<()> {
        if let Metric::Evaluation(metric) = metric {
            self.0.push(metric.knn_top1);
        }
        Ok(())
    }
}

/// A key that is not set has the same default as in every recipe. `custom` prevents other programs from reading the run as a
/// ResNet's.
const RECIPE: &str = r#"
    model = { backbone = "custom", projector = "64-64" }
    optimizer = { kind = "adamw", learning_rate_weights = 1e-2 }
    train = { epochs = 20, batch_size = 64, log_every = 50 }
    eval = { resize = 24, crop = 24, every = 5 }

    # Colours carry no information about stripes: views that share few colours leave the direction to be learned.
    [views]
    preset = "cifar"
    size = 24
    a = { crop_scale = [0.3, 1.0], jitter = { hue = 0.5 } }
    b = { crop_scale = [0.3, 1.0], jitter = { hue = 0.5 } }
"#;

fn main() -> anyhow::Result<()> {
    let out = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "runs/own-backbone".to_owned());
    let config: Config = toml::from_str(RECIPE)?;
    let images = Sources::of(
        Arc::new(Stripes::new(1200, 0)),
        Some(Arc::new(Stripes::new(300, 100_000))),
        Normalization::imagenet(),
    );
    let loss = SmallEmbeddings(config.loss.loss_config().init());
    let mut accuracies = Vec::new();
    // Any other backend of Burn's that the engine is built for will do.
    let summary = Run::builder::<Autodiff<Flex>>(config, FlexDevice)
        .out(&out)
        .images(images)
        .backbone(SmallNet::new(16, &FlexDevice))
        .loss(loss)
        .sink(Accuracies(&mut accuracies))
        .open()?
        .train()?;
    #[expect(clippy::print_stdout, reason = "the result of an example")]
    {
        println!("kNN top-1 of this session: {accuracies:.3?}");
        let [before, after] = [summary.untrained_knn_top1, summary.knn_top1].map(Option::unwrap_or_default);
        println!("kNN top-1 untrained {before:.3}, trained {after:.3}");
        println!("report: {out}/report.html");
    }
    Ok(())
}
