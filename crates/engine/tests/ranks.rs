//! Runs that several ranks train together: those of one process, whatever the number of ranks.

#![cfg(feature = "cpu")]

use barlow_augment::{Image8, Normalization, RgbImage8, ViewsConfig};
use barlow_data::{DataError, HostBatch, HostView, ImageSource, MemorySet};
use barlow_engine::config::{BackboneKind, Config, OptimizerKind, SyncNorm};
use barlow_engine::error::RunError;
use barlow_engine::method::{Clock, MethodInputs};
use barlow_engine::methods::{LossSection, MethodKind, MethodSection};
use barlow_engine::metrics::{Metric, MetricsSink};
use barlow_engine::ranks::Ranks;
use barlow_engine::ranks::group::{Group, Threads};
use barlow_engine::run::Run;
use barlow_engine::sources::Sources;
use barlow_engine::stop::StopFlag;
use barlow_engine::summary::Summary;
use barlow_engine::training::{Profile, StepContext, Teacher, cached_step_gradients, step_gradients};
use barlow_loss::LossForm;
use barlow_model::{BuiltinBackbone, Model, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth, Stem, state_dict};
use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_flex::{Flex, FlexDevice};
use std::path::Path;
use std::sync::{Arc, Mutex};

type Diff = Autodiff<Flex>;

const N: usize = 12;
const SIZE: usize = 12;

/// Rounding in single precision, through 20 batch norms of few values: the first parameter found above 1e-5 differs by 1.02e-5.
const BOUND: f64 = 3e-5;

/// Pseudo-random pixels in [−1, 1].
fn pixels(count: usize, seed: usize) -> Vec<f32> {
    let value = |i: usize| (((i * 2_654_435_761 + seed * 97) % 1_000_003) as f32 * 0.37).sin();
    (0..count).map(value).collect()
}

/// The methods whose loss the ranks share, or whose state or heads see the whole batch.
fn cases() -> Vec<(&'static str, MethodKind, LossForm)> {
    vec![
        ("barlow-twins, direct", MethodKind::BarlowTwins, LossForm::Direct),
        ("barlow-twins, gram", MethodKind::BarlowTwins, LossForm::Gram),
        ("barlow-twins, reference", MethodKind::BarlowTwins, LossForm::Reference),
        ("simclr", MethodKind::SimClr, LossForm::Auto),
        ("byol", MethodKind::Byol, LossForm::Auto),
        ("swav", MethodKind::Swav, LossForm::Auto),
    ]
}

fn inputs() -> MethodInputs {
    let mut views = ViewsConfig::default().groups();
    views.iter_mut().for_each(|group| group.size = SIZE);
    MethodInputs {
        views,
        projector: ProjectorConfig { widths: vec![32, 16] }.mlp(true),
        batch_size: N,
        largest_buffer: None,
    }
}

fn section(kind: MethodKind) -> MethodSection {
    let mut section = MethodSection::of(kind);
    section.byol.predictor = 16;
    section.swav.prototypes = 5;
    section.swav.frozen_steps = 0;
    section.swav.small_views = 2;
    section.swav.small_size = Some(8);
    section
}

fn batch(sizes: &[usize], groups: &[usize]) -> HostBatch {
    let view = |(number, (&size, &group)): (usize, (&usize, &usize))| HostView {
        pixels: pixels(N * 3 * size * size, number + 1),
        size,
        group,
    };
    HostBatch {
        views: sizes.iter().zip(groups).enumerate().map(view).collect(),
        n: N,
        channels: 3,
        labels: (0..N).map(|k| (k % 5 != 0).then_some(k % 3)).collect(),
        indices: (0..N).map(|k| k * 7 + 1).collect(),
    }
}

/// A parameter's name is its number here; its gradient.
type Gradients = Vec<Vec<f32>>;

fn values(gradients: GradientsParams, model: &Model<Diff>) -> Gradients {
    struct Reader(GradientsParams, Gradients);
    impl ModuleVisitor<Diff> for Reader {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
            if let Some(gradient) = self.0.get::<Flex, D>(param.id) {
                self.1.push(gradient.into_data().to_vec::<f32>().unwrap());
            }
        }
    }
    let mut reader = Reader(gradients, Vec::new());
    model.visit(&mut reader);
    reader.1
}

/// Gradients of all parameters, the loss, and the running statistics, after one step of this rank.
fn one_step(
    (kind, form): (MethodKind, LossForm),
    ranks: &Ranks,
    micro_batch: Option<usize>,
) -> (Gradients, f64, Vec<f32>) {
    let loss = LossSection {
        form,
        ..LossSection::default()
    };
    let mut method = section(kind).build::<Diff>(&loss, &inputs());
    let spec = method.spec().clone();
    let backbone = ResNetConfig::new(ResNetDepth::ResNet18)
        .with_stem(Stem::Cifar)
        .with_width(4)
        .with_zero_init_residual(false);
    let mut model = ModelConfig::new(backbone, spec.heads.clone()).init(&FlexDevice, 5);
    let clock = Clock {
        step: 0,
        total_steps: 10,
        steps_per_epoch: 5,
    };
    model.heads = method.before_step(model.heads, clock);
    let teacher = spec
        .teacher
        .clone()
        .map(|spec| Teacher::<Diff, BuiltinBackbone<Diff>>::new(spec, &model));
    let profile = Profile::off();
    let context = StepContext {
        model: &model,
        teacher: teacher.as_ref(),
        clock,
        seed: 3,
        profile: &profile,
        ranks,
    };
    let mut batch = batch(&spec.sizes_of_views(), &spec.groups_of_views());
    if !ranks.is_alone() {
        batch = batch.rows(ranks.share());
    }
    let step = match micro_batch {
        Some(images) => cached_step_gradients(&context, method.as_mut(), &batch, images, &FlexDevice),
        None => step_gradients(&context, method.as_mut(), batch.to_device(&FlexDevice)),
    };
    let gradients = ranks.sum_gradients(step.gradients, &model);
    let statistics = state_dict(&model).unwrap().into_iter();
    let statistics = statistics.filter(|(name, _)| name.contains("running"));
    (
        values(gradients, &model),
        step.readings.read().loss(),
        statistics.flat_map(|(_, tensor)| tensor.data).collect(),
    )
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// The largest ‖a − b‖ / ‖b‖ of a parameter. A gradient that is zero but for rounding, such as that of a bias before a batch norm, is
/// compared with the others' size.
fn distance(a: &Gradients, b: &Gradients) -> f64 {
    assert_eq!(a.len(), b.len());
    let whole = norm(b.iter().flatten().map(|&value| f64::from(value)));
    let of = |(a, b): (&Vec<f32>, &Vec<f32>)| {
        assert_eq!(a.len(), b.len());
        let difference = norm(a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
        difference / norm(b.iter().map(|&b| f64::from(b))).max(1e-3 * whole)
    };
    a.iter().zip(b).map(of).fold(0.0, f64::max)
}

#[test]
fn gradients_of_all_ranks_together_are_those_of_one_process() {
    for (name, kind, form) in cases() {
        let (expected, loss, statistics) = one_step((kind, form), &Ranks::alone(), None);
        assert!(expected.len() > 60, "{name}: {} parameters", expected.len());
        for size in [2, 3, 5] {
            let found = Threads::new(size).run(|group| {
                let ranks = Ranks::new(group, SyncNorm::All, N);
                one_step((kind, form), &ranks, None)
            });
            let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
            for (gradients, of_rank, of_norms) in &found {
                let distance = distance(gradients, &expected);
                assert!(distance < BOUND, "{name}, {size} ranks: gradients differ by {distance}");
                assert!(
                    (of_rank - loss).abs() <= 1e-5 * loss.abs(),
                    "{name}: {of_rank}, not {loss}"
                );
                assert_eq!(*gradients, found[0].0, "{name}, {size} ranks: bytes");
                assert_eq!(*of_norms, found[0].2, "{name}, {size} ranks: running statistics");
                for (found, expected) in of_norms.iter().zip(&statistics) {
                    assert!(
                        (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                        "{found}, not {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn micro_batches_of_a_rank_give_all_ranks_one_gradient() {
    for (name, kind, form) in cases() {
        let (one, loss, _) = one_step((kind, form), &Ranks::alone(), Some(N));
        for (size, micro_batch) in [(2, 6), (3, 2), (5, 2)] {
            let found = Threads::new(size).run(|group| {
                let ranks = Ranks::new(group, SyncNorm::All, N);
                one_step((kind, form), &ranks, Some(micro_batch))
            });
            let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
            for (gradients, of_rank, _) in &found {
                assert_eq!(*gradients, found[0].0, "{name}, {size} ranks: bytes");
                // With parts of the ranks' rows, batch norms see other images together.
                if micro_batch * size == N {
                    let distance = distance(gradients, &one);
                    assert!(distance < BOUND, "{name}, {size} ranks: gradients differ by {distance}");
                    assert!(
                        (of_rank - loss).abs() <= 1e-5 * loss.abs(),
                        "{name}: {of_rank}, not {loss}"
                    );
                }
            }
        }
    }
}

#[test]
fn norms_that_are_not_synchronised_are_those_of_a_node_or_a_rank() {
    let case = (MethodKind::BarlowTwins, LossForm::Direct);
    let (all, ..) = one_step(case, &Ranks::alone(), None);
    let of = |sync, per_node| {
        let found = Threads::new(4).with_ranks_per_node(per_node).run(|group| {
            let ranks = Ranks::new(group, sync, N);
            one_step(case, &ranks, None).0
        });
        found.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let (one_node, two_nodes, none) = (of(SyncNorm::Node, 4), of(SyncNorm::Node, 2), of(SyncNorm::None, 2));
    assert!(distance(&one_node[0], &all) < BOUND);
    for found in [&two_nodes, &none] {
        assert!(distance(&found[0], &all) > 1e-3, "other statistics");
        assert!(
            found.iter().all(|gradients| *gradients == found[0]),
            "summed all the same"
        );
    }
    assert!(distance(&two_nodes[0], &none[0]) > 1e-3);
}

/// The losses that are logged, and a stop at a step.
#[derive(Clone, Default)]
struct Losses {
    seen: Arc<Mutex<Vec<f64>>>,
    stop_at: Option<(u64, StopFlag)>,
}

impl MetricsSink for Losses {
    fn write(&mut self, metric: &Metric) -> anyhow::Result<()> {
        if let Metric::Training(metric) = metric {
            self.seen.lock().unwrap().push(metric.readings.loss());
        }
        if let Some((step, stop)) = &self.stop_at
            && metric.step() == *step
        {
            stop.set();
        }
        Ok(())
    }
}

fn config(kind: MethodKind, form: LossForm) -> Config {
    let mut config = Config::default();
    config.model.backbone = BackboneKind::ResNet18;
    config.model.stem = Stem::Cifar;
    config.model.width = 4;
    config.model.zero_init_residual = false;
    config.model.projector = "32-16".into();
    config.method = section(kind);
    config.loss.form = form;
    config.views.size = SIZE;
    config.optimizer.kind = OptimizerKind::Sgd;
    // A step that is large enough for a unit of the ReLU to change sides amplifies rounding: at 1e-3 a run of one process whose rate is
    // 3e-6 larger is off by 4e-3 at step 11, at this rate by 2e-6 at step 20.
    config.optimizer.learning_rate_weights = Some(3e-5);
    config.train.epochs = 4;
    config.train.batch_size = N;
    config.train.log_every = 1;
    config.eval.crop = SIZE;
    config.eval.resize = SIZE;
    config.eval.every = 2;
    config.data.workers = Some(0);
    config
}

/// Images, one of which cannot be read.
struct WithBadImage(MemorySet, Option<usize>);

impl ImageSource for WithBadImage {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn channels(&self) -> usize {
        self.0.channels()
    }

    fn classes(&self) -> &[String] {
        self.0.classes()
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.0.label(index)
    }

    fn name(&self, index: usize) -> String {
        self.0.name(index)
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        if self.1 == Some(index) {
            return Err(DataError::WorkerPanicked {
                message: format!("image {index} is corrupt"),
            });
        }
        self.0.image(index)
    }
}

fn images(bad: Option<usize>) -> Sources {
    let image =
        |k: usize| RgbImage8::from_fn(16, 16, |x, y| [(x * 16) as u8, (y * (k % 5) * 4) as u8, (k * 5) as u8]).into();
    let set = |count: usize| {
        let labels = (0..count).map(|k| k % 5).collect();
        let classes = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        MemorySet::new((0..count).map(image).collect(), Some(labels), classes)
    };
    let train = Arc::new(WithBadImage(set(5 * N), bad));
    Sources::of(train, Some(Arc::new(set(20))), Normalization::imagenet())
}

/// A run in `out` by `ranks` threads: what each rank returned, and the losses.
fn run(
    out: &Path,
    ranks: usize,
    config: &Config,
    sources: &Sources,
    stop: Option<(usize, u64)>,
) -> (Vec<Result<Summary, RunError>>, Vec<f64>) {
    let losses = Losses::default();
    let work = |group: Arc<dyn Group>| {
        let flag = StopFlag::default();
        let rank = group.place().rank;
        let mut builder = Run::builder::<Diff>(config.clone(), FlexDevice)
            .out(out)
            .images(sources.clone())
            .group(group)
            .stop(flag.clone());
        if rank == 0 {
            builder = builder.sink(losses.clone());
        }
        if let Some((of_rank, step)) = stop
            && of_rank == rank
        {
            match rank {
                0 => {
                    builder = builder.sink(Losses {
                        stop_at: Some((step, flag)),
                        ..Losses::default()
                    })
                }
                // Other ranks have no sinks; asked before it begins, the run ends after its first step.
                _ => drop(flag.set()),
            }
        }
        builder.open()?.train()
    };
    let found = Threads::new(ranks).run(work).into_iter().map(Result::unwrap).collect();
    let losses = losses.seen.lock().unwrap().clone();
    (found, losses)
}

/// Parameters are compared bit for bit between ranks at every checkpoint; a difference would end the run.
#[test]
fn twenty_steps_have_the_losses_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind, form) in cases() {
        let config = config(kind, form);
        let sources = images(None);
        let (found, expected) = run(&folder.path().join(format!("{name} 1")), 1, &config, &sources, None);
        found.into_iter().for_each(|found| drop(found.unwrap()));
        assert_eq!(expected.len(), 20);
        for ranks in [2, 3] {
            let out = folder.path().join(format!("{name} {ranks}"));
            let (found, losses) = run(&out, ranks, &config, &sources, None);
            let found: Vec<Summary> = found.into_iter().map(Result::unwrap).collect();
            assert!(
                found.iter().all(|summary| *summary == found[0]),
                "all ranks have the summary"
            );
            assert_eq!(losses.len(), 20, "{name}, {ranks} ranks");
            for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
                assert!(
                    (loss - expected).abs() <= 1e-4 * expected.abs(),
                    "{name}, {ranks} ranks, step {step}: {loss}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn a_run_resumes_with_another_number_of_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(MethodKind::BarlowTwins, LossForm::Direct);
    let sources = images(None);
    let (_, expected) = run(&folder.path().join("whole"), 1, &config, &sources, None);
    let out = folder.path().join("stopped");
    let mut losses = Vec::new();
    for (ranks, step) in [(2, 3), (3, 7), (1, 12)] {
        let (found, seen) = run(&out, ranks, &config, &sources, Some((0, step)));
        for (rank, found) in found.into_iter().enumerate() {
            let error = found.unwrap_err();
            assert!(matches!(error.kind(), RunError::Interrupted(_)), "{error}");
            assert_eq!(matches!(error, RunError::OnAnotherRank(_)), rank > 0);
        }
        losses.extend(seen);
    }
    let (found, seen) = run(&out, 4, &config, &sources, None);
    found.into_iter().for_each(|found| drop(found.unwrap()));
    losses.extend(seen);
    assert_eq!(losses.len(), 20, "no step is repeated or lost");
    for (loss, expected) in losses.iter().zip(&expected) {
        assert!(
            (loss - expected).abs() <= 1e-4 * expected.abs(),
            "{loss}, not {expected}"
        );
    }
}

#[test]
fn a_stop_of_one_rank_is_a_stop_of_all_with_one_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let config = config(MethodKind::BarlowTwins, LossForm::Direct);
    let (found, _) = run(&out, 3, &config, &images(None), Some((2, 0)));
    for found in found {
        assert!(matches!(found.unwrap_err().kind(), RunError::Interrupted(_)));
    }
    // Before anything was written: no folder.
    assert!(!out.exists());
}

#[test]
fn an_image_that_one_rank_cannot_read_ends_all_with_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(MethodKind::BarlowTwins, LossForm::Direct);
    config.eval.untrained = false;
    let (found, _) = run(&folder.path().join("run"), 3, &config, &images(Some(17)), None);
    let errors: Vec<RunError> = found.into_iter().map(Result::unwrap_err).collect();
    let own = errors
        .iter()
        .filter(|error| !matches!(error, RunError::OnAnotherRank(_)));
    let own: Vec<String> = own.map(ToString::to_string).collect();
    assert!(
        matches!(&own[..], [line] if line.contains("image 17 is corrupt")),
        "{own:?}"
    );
}

#[test]
fn what_ranks_cannot_train_is_refused_on_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let sources = images(None);
    let refused = |ranks, config: &Config, line: &str| {
        let (found, _) = run(&folder.path().join("run"), ranks, config, &sources, None);
        for (rank, found) in found.into_iter().enumerate() {
            let error = found.unwrap_err();
            assert_eq!(
                matches!(error, RunError::OnAnotherRank(_)),
                rank > 0,
                "one rank prints it"
            );
            assert!(
                matches!(error.kind(), RunError::Usage(_)) && error.to_string().contains(line),
                "{error}"
            );
        }
    };
    let mut few = config(MethodKind::BarlowTwins, LossForm::Direct);
    few.train.batch_size = 2;
    refused(3, &few, "there are 3 ranks and train.batch_size is 2");
    let mut sela = config(MethodKind::SimClr, LossForm::Auto);
    sela.method = MethodSection::of(MethodKind::Sela);
    refused(2, &sela, "passes over the whole training set");
}

#[test]
fn a_rank_with_another_config_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let sources = images(None);
    let found = Threads::new(2).run(|group| {
        let mut config = config(MethodKind::BarlowTwins, LossForm::Direct);
        if !group.place().is_first() {
            config.loss.lambda = 0.1;
        }
        let builder = Run::builder::<Diff>(config, FlexDevice)
            .out(&out)
            .images(sources.clone());
        builder.group(group).open().map(drop)
    });
    let errors: Vec<RunError> = found.into_iter().map(|found| found.unwrap().unwrap_err()).collect();
    assert!(matches!(errors[0], RunError::OnAnotherRank(_)));
    assert!(
        errors[1]
            .to_string()
            .starts_with("[rank 1 of 2 on localhost] this rank has another config")
    );
    assert!(!out.exists());
}
