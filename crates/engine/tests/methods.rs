//! Runs of every method through the builder: stopped and resumed, in one pass and in micro-batches. The network is tiny, so that
//! the time goes into the methods.

#![cfg(feature = "cpu")]

use barlow_augment::{Image8, Normalization, RgbImage8};
use barlow_data::{DataError, ImageSource, MemorySet};
use barlow_engine::config::{BackboneKind, Config, OptimizerKind};
use barlow_engine::error::RunError;
use barlow_engine::methods::{MethodKind, MethodSection};
use barlow_engine::metrics::{Metric, MetricsSink};
use barlow_engine::run::Run;
use barlow_engine::sources::Sources;
use barlow_engine::stop::StopFlag;
use barlow_model::{Backbone, Linear, LinearConfig, NormMode};
use burn::backend::Autodiff;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn_flex::{Flex, FlexDevice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Diff = Autodiff<Flex>;

const N: usize = 16;
const SIZE: usize = 12;
const STEPS_PER_EPOCH: usize = 3;

/// Means of 4 × 4 fields of a view of any size that four divides, a linear layer, and ReLU.
#[derive(Module, Debug)]
struct Tiny<B: Backend> {
    fc: Linear<B>,
}

impl<B: Backend> Backbone<B> for Tiny<B> {
    fn feature_dim(&self) -> usize {
        12
    }

    fn forward(&self, images: Tensor<B, 4>, _mode: NormMode) -> Tensor<B, 2> {
        let [n, channels, side, _] = images.dims();
        let fields: Tensor<B, 6> = images.reshape([n, channels, 4, side / 4, 4, side / 4]);
        relu(
            self.fc
                .forward(fields.mean_dim(3).mean_dim(5).reshape([n, channels * 16])),
        )
    }
}

fn tiny() -> Tiny<Diff> {
    Tiny {
        fc: LinearConfig::new(48, 12).with_bias(true).init(&FlexDevice),
    }
}

fn config(kind: MethodKind, micro_batch: Option<usize>) -> Config {
    let mut config = Config {
        method: MethodSection::of(kind),
        ..Config::default()
    };
    config.method.byol.predictor = 16;
    config.method.simsiam.predictor = 8;
    config.method.moco_v2.queue = 40;
    config.method.moco_v3.predictor = 16;
    config.method.dino.prototypes = 5;
    config.method.dino.frozen_steps = 2;
    config.method.dino.small_views = 2;
    config.method.dino.small_size = Some(8);
    config.method.swav.prototypes = 5;
    config.method.swav.frozen_steps = 2;
    config.method.swav.small_views = 2;
    config.method.swav.small_size = Some(8);
    // Full after two steps of the second epoch.
    config.method.swav.queue = 2 * N;
    config.method.swav.queue_from_epoch = 1.0;
    // Before steps 0, 3 and 5, which is within an epoch.
    config.method.sela.heads = 2;
    config.method.sela.relabellings = 4;
    config.method.sela.relabelling_power = 1.0;
    config.model.backbone = BackboneKind::Custom;
    // A classifier of the five classes.
    let projector = if kind == MethodKind::Supervised { "5" } else { "16-8" };
    config.model.projector = projector.to_owned();
    config.views.size = SIZE;
    config.optimizer.kind = OptimizerKind::Sgd;
    config.optimizer.learning_rate_weights = Some(0.5);
    config.train.epochs = 2;
    config.train.batch_size = N;
    config.train.micro_batch = micro_batch;
    config.train.log_every = 1;
    config.eval.crop = SIZE;
    config.eval.resize = SIZE;
    config.data.workers = Some(0);
    config
}

fn images() -> Sources {
    images_of(|images| images)
}

/// The images, of which those to train on go through `wrap`.
fn images_of(wrap: impl FnOnce(Arc<dyn ImageSource>) -> Arc<dyn ImageSource>) -> Sources {
    let image =
        |k: usize| RgbImage8::from_fn(16, 16, |x, y| [(x * 16) as u8, (y * (k % 5) * 4) as u8, (k * 5) as u8]).into();
    let set = |count: usize| -> Arc<dyn ImageSource> {
        let labels = (0..count).map(|k| k % 5).collect();
        let classes = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        Arc::new(MemorySet::new((0..count).map(image).collect(), Some(labels), classes))
    };
    // One more than the steps take, which a pass over the whole set sees nevertheless.
    Sources::of(
        wrap(set(STEPS_PER_EPOCH * N + 1)),
        Some(set(20)),
        Normalization::imagenet(),
    )
}

/// Asks the run to stop at a step.
struct StopAt(u64, StopFlag);

impl MetricsSink for StopAt {
    fn write(&mut self, metric: &Metric) -> anyhow::Result<()> {
        if metric.step() == self.0 {
            self.1.set();
        }
        Ok(())
    }
}

fn run(out: &Path, config: &Config, stop_at: Option<u64>) -> Result<(), RunError> {
    let stop = StopFlag::default();
    let mut builder = Run::builder::<Diff>(config.clone(), FlexDevice)
        .backbone(tiny())
        .out(out)
        .images(images())
        .stop(stop.clone());
    if let Some(step) = stop_at {
        builder = builder.sink(StopAt(step, stop));
    }
    builder.open()?.train().map(drop)
}

/// The tensors of the last checkpoint: network, optimiser, probe, teacher and the method's own.
fn tensors(run: &Path) -> barlow_model::StateDict {
    let file = std::fs::read(run.join("checkpoints/step-00000006.safetensors")).unwrap();
    barlow_model::read_safetensors(&file).unwrap().tensors
}

#[test]
fn a_resumed_run_of_every_method_ends_as_one_that_was_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    for &kind in MethodKind::ALL {
        for micro_batch in [None, Some(8)] {
            let name = format!("{}, micro-batch {micro_batch:?}", kind.name());
            let config = config(kind, micro_batch);
            let [whole, stopped] = ["whole", "stopped"].map(|run| folder.path().join(format!("{run} {name}")));
            run(&whole, &config, None).unwrap_or_else(|error| panic!("{name}: {error}"));
            // Within the first epoch and within the second.
            for step in [1, 4] {
                let error = run(&stopped, &config, Some(step)).unwrap_err();
                assert!(matches!(error, RunError::Interrupted(_)), "{name}: {error}");
            }
            run(&stopped, &config, None).unwrap_or_else(|error| panic!("{name}: {error}"));
            let (expected, found) = (tensors(&whole), tensors(&stopped));
            assert!(
                expected.keys().eq(found.keys()),
                "{name}: {:?}",
                found.keys().collect::<Vec<_>>()
            );
            for (key, tensor) in &expected {
                assert!(tensor == &found[key], "{name}: {key}");
            }
            let bytes = |run: &Path| std::fs::read(run.join("backbone.safetensors")).unwrap();
            assert!(bytes(&whole) == bytes(&stopped), "{name}: the exported backbone");
        }
    }
}

#[test]
fn every_reading_of_a_chart_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    for &kind in MethodKind::ALL {
        let out = folder.path().join(kind.name());
        let mut config = config(kind, None);
        config.train.epochs = 1;
        run(&out, &config, None).unwrap();
        let log = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let first = log.lines().next().unwrap();
        for reading in kind.about().charts.iter().flat_map(|chart| chart.readings) {
            assert!(
                first.contains(&format!("\"{reading}\":")),
                "{}: {reading}: {first}",
                kind.name()
            );
        }
    }
}

/// Asks the run to stop when some images have been read.
struct StopAtRead {
    images: Arc<dyn ImageSource>,
    left: AtomicUsize,
    stop: StopFlag,
}

impl ImageSource for StopAtRead {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> &[String] {
        self.images.classes()
    }

    fn channels(&self) -> usize {
        self.images.channels()
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.images.label(index)
    }

    fn name(&self, index: usize) -> String {
        self.images.name(index)
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stop.set();
        }
        self.images.image(index)
    }
}

#[test]
fn a_pass_over_the_whole_set_that_is_stopped_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for micro_batch in [None, Some(8)] {
        let mut config = config(MethodKind::Sela, micro_batch);
        config.eval.untrained = false;
        // The network alone has no batch norm.
        config.model.projector = "16-8".to_owned();
        let [whole, stopped] = ["whole", "stopped"].map(|run| folder.path().join(format!("{run} {micro_batch:?}")));
        run(&whole, &config, None).unwrap();
        let images = STEPS_PER_EPOCH * N + 1;
        // Six examples of views, then within the first pass; after the first pass and an epoch; after the pass of step 3 and two steps.
        for (reads, step) in [
            (6 + 20, 0),
            (images + STEPS_PER_EPOCH * N + 20, 3),
            (images + 2 * N + 20, 5),
        ] {
            let stop = StopFlag::default();
            let sources = images_of(|images| {
                Arc::new(StopAtRead {
                    images,
                    left: AtomicUsize::new(reads),
                    stop: stop.clone(),
                })
            });
            let error = Run::builder::<Diff>(config.clone(), FlexDevice)
                .backbone(tiny())
                .out(&stopped)
                .images(sources)
                .stop(stop)
                .open()
                .unwrap()
                .train()
                .unwrap_err();
            assert!(
                error.to_string().contains(&format!("interrupted at step {step} ")),
                "{error}"
            );
        }
        run(&stopped, &config, None).unwrap();
        let (expected, found) = (tensors(&whole), tensors(&stopped));
        assert!(expected == found, "micro-batch {micro_batch:?}");
        let labels = expected.iter().find(|(name, _)| name.ends_with("labels")).unwrap().1;
        assert_eq!(labels.shape, [2, images]);
        for head in labels.data.chunks(images) {
            for label in 0..4 {
                let count = head.iter().filter(|&&found| found == label as f32).count();
                assert!((11..=14).contains(&count), "{count} images of label {label}");
            }
        }
    }
}
