//! Pre-trains a network of one's own, on images of one's own, with a loss of one's own, and has everything else of the program:
//! views, checkpoints, resuming, metrics, kNN and linear probe, report.
//!
//!     cargo run -p train --release --example own_backbone -- runs/own-backbone
//!
//! Run it again and it goes on where it was stopped, or says that it is finished. `knn --from` and the program's other commands do
//! not know the network; `backbone.safetensors` and the checkpoints hold its weights by the names of its fields.

use barlow_augment::{Image8, Normalization, RgbImage8};
use barlow_data::{DataError, ImageSource};
use barlow_loss::{BarlowTwinsLoss, BarlowTwinsOutput};
use barlow_model::ops::{ModelOps, mean_pool2d};
use barlow_model::{
    Backbone, BarlowTwinsModel, BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, NormMode, initialize, parameter_count,
};
use barlow_train::backend::{BackendChoice, Selected, TrainBackend, select};
use barlow_train::config::Config;
use barlow_train::console::Console;
use barlow_train::error::AppError;
use barlow_train::metrics::{Metric, MetricsSink};
use barlow_train::plan::{Parameters, Plan};
use barlow_train::pretrain::{Job, Parts, Start, TwinLoss, pretrain};
use barlow_train::sources::Sources;
use barlow_train::summary::Summary;
use burn::backend::Autodiff;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::{Flex, FlexDevice};
use std::path::Path;
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
    fn features(&self) -> usize {
        self.features
    }

    fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2> {
        let layers = self.convs.iter().zip(&self.norms);
        mean_pool2d(layers.fold(images, |x, (conv, norm)| norm.forward_relu(conv.forward(x), mode)))
    }
}

/// Stripes that lie, stand and lean, each image with its own colours, phase and width.
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

/// Barlow Twins, and a pull on the embeddings' size.
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

/// Keeps the accuracies as they come.
struct Accuracies<'a>(&'a mut Vec<f64>);

impl MetricsSink for Accuracies<'_> {
    fn write(&mut self, metric: &Metric) -> anyhow::Result<()> {
        if let Metric::Evaluation(metric) = metric {
            self.0.push(metric.knn_top1);
        }
        Ok(())
    }
}

/// What is not said has the default that it has in every recipe. `custom` keeps other programs from taking the run for a ResNet's.
const RECIPE: &str = r#"
    model = { backbone = "custom", projector = "64-64" }
    optimizer = { kind = "adamw", learning_rate_weights = 1e-2 }
    train = { epochs = 20, batch_size = 64, log_every = 50 }
    eval = { resize = 24, crop = 24, every = 5 }

    # Colours tell nothing about stripes: views that hardly share any leave the direction to be learned.
    [views]
    preset = "cifar"
    size = 24
    a = { crop_scale = [0.3, 1.0], jitter = { hue = 0.5 } }
    b = { crop_scale = [0.3, 1.0], jitter = { hue = 0.5 } }
"#;

/// Generic: any backend of the program will do.
fn train<B: TrainBackend>(
    out: &Path,
    selected: Selected,
    device: &B::Device,
    accuracies: &mut Vec<f64>,
) -> Result<Summary, AppError> {
    let config: Config = toml::from_str(RECIPE).map_err(AppError::usage)?;
    config.validate().map_err(AppError::usage)?;
    let start = Start::at(out)?;
    if let Some(summary) = start.finished(&config)? {
        return Ok(summary);
    }
    let sources = Sources::of(
        Arc::new(Stripes::new(1200, 0)),
        Some(Arc::new(Stripes::new(300, 100_000))),
        Normalization::imagenet(),
    );
    let model = BarlowTwinsModel::new(SmallNet::<B>::new(16, device), &config.projector(), true, device);
    let parts = Parts {
        model: initialize(model, config.run.seed),
        loss: SmallEmbeddings(config.loss_config().init()),
        sinks: vec![Box::new(Accuracies(accuracies))],
    };
    let parameters = Parameters {
        backbone: parameter_count(&parts.model.backbone),
        projector: parameter_count(&parts.model.projector),
    };
    let plan = Plan::new(
        "own-backbone".into(),
        config,
        sources.counts(),
        parameters,
        B::largest_buffer(device),
    );
    plan.check_buffers().map_err(AppError::usage)?;
    parts.check(&plan.config).map_err(AppError::usage)?;
    let opened = start.open(&plan, &sources, &Console::new(false))?;
    let (job, checkpoint) = Job::new(plan, sources, selected, opened);
    pretrain(&job, device, parts, checkpoint)
}

fn main() -> anyhow::Result<()> {
    let out = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "runs/own-backbone".to_owned());
    let mut accuracies = Vec::new();
    let selected = select(BackendChoice::Cpu, None)?;
    let summary = train::<Autodiff<Flex>>(Path::new(&out), selected, &FlexDevice, &mut accuracies)
        .map_err(|error| anyhow::anyhow!(error.render(false)))?;
    #[expect(clippy::print_stdout, reason = "the result of an example")]
    {
        println!("kNN top-1 of this session: {accuracies:.3?}");
        let [before, after] = [summary.untrained_knn_top1, summary.knn_top1].map(Option::unwrap_or_default);
        println!("kNN top-1 untrained {before:.3}, trained {after:.3}");
        println!("report: {out}/report.html");
    }
    Ok(())
}
