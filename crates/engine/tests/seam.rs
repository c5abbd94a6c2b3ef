//! Tests of the method interface with a method that uses all of it: three view groups, passes by size, a teacher, a predictor,
//! prototypes, rules, its own state, every hook.

#![cfg(feature = "cpu")]

use barlow_augment::{Normalization, RgbImage8, ViewConfig, ViewGroup};
use barlow_data::{DeviceBatch, HostBatch, HostView, MemorySet};
use barlow_engine::config::{BackboneKind, Config, OptimizerKind};
use barlow_engine::error::RunError;
use barlow_engine::method::{
    Clock, EmaTiming, LossOutput, Method, MethodBatch, MethodPlan, MethodSpec, Momentum, Outlook, Passes, TeacherSpec,
};
use barlow_engine::metrics::{Metric, MetricsSink};
use barlow_engine::optim::{ParamRule, RateRule, Select};
use barlow_engine::ranks::Ranks;
use barlow_engine::run::Run;
use barlow_engine::sources::Sources;
use barlow_engine::stop::StopFlag;
use barlow_engine::training::{Profile, StepContext, Teacher, cached_step_gradients, step_gradients};
use barlow_model::{
    BuiltinBackbone, Heads, HeadsConfig, HostTensor, MlpConfig, Model, ModelConfig, NormMode, ParamKind, Positions,
    ProjectorConfig, PrototypesConfig, ResNetConfig, ResNetDepth, StateDict, Stem, VitInit, state_dict,
};
use burn::backend::Autodiff;
use burn::module::AutodiffModule;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use std::path::Path;
use std::sync::{Arc, Mutex};

#[path = "common/gradients.rs"]
mod gradients;
use gradients::{distance, flat, pixels};

type Diff = Autodiff<Flex>;

const N: usize = 12;
const SIZE: usize = 12;
const SMALL: usize = 8;

/// Which hooks were called, in order.
type Calls = Arc<Mutex<Vec<String>>>;

/// Prediction of the teacher's embeddings from all views, and a pull of the prototypes' scores to a moving centre.
struct Everything {
    plan: MethodPlan,
    /// [K]
    centre: Vec<f32>,
    seen: Option<Vec<f32>>,
    calls: Calls,
}

fn projector() -> MlpConfig {
    ProjectorConfig { widths: vec![16, 8] }.mlp(true)
}

fn spec(update: EmaTiming, passes: Passes) -> MethodSpec {
    let group = |name: &str, count, size| ViewGroup {
        name: name.to_owned(),
        count,
        size,
        view: ViewConfig::default(),
    };
    MethodSpec {
        kind: "everything".to_owned(),
        views: vec![group("a", 1, SIZE), group("b", 1, SIZE), group("small", 2, SMALL)],
        derived: Vec::new(),
        online: None,
        passes,
        teacher: Some(TeacherSpec {
            momentum: Momentum { start: 0.9, end: 1.0 },
            update,
            sees: vec![0, 1],
            evaluated: true,
        }),
        heads: HeadsConfig {
            projector: projector(),
            predictor: Some(ProjectorConfig { widths: vec![12, 8] }.mlp(true)),
            prototypes: vec![PrototypesConfig {
                count: 5,
                bias: false,
                unit_rows: true,
            }],
        },
        rules: vec![
            ParamRule {
                rate: Some(RateRule::Constant),
                ..ParamRule::new(Select::Prefix("predictor.".to_owned()))
            },
            ParamRule {
                frozen_until: Some(2),
                ..ParamRule::new(Select::Prefix("prototypes.".to_owned()))
            },
        ],
        uses_labels: false,
        whole_set_scores: None,
    }
}

impl Everything {
    fn new(spec: MethodSpec, calls: Calls) -> Self {
        Self {
            plan: MethodPlan {
                spec,
                outlook: Outlook {
                    settings: "a test".to_owned(),
                    ..Outlook::default()
                },
            },
            centre: vec![0.0; 5],
            seen: None,
            calls,
        }
    }

    fn call(&self, name: &str, clock: Clock) {
        self.calls.lock().unwrap().push(format!("{name} {}", clock.step));
    }
}

impl Method<Diff> for Everything {
    fn plan(&self) -> &MethodPlan {
        &self.plan
    }

    fn loss(&mut self, heads: &Heads<Diff>, batch: MethodBatch<'_, Diff>) -> LossOutput<Diff> {
        self.call("loss", batch.clock);
        assert_eq!(batch.groups, [0, 1, 2, 2]);
        assert_eq!(batch.indices.len(), batch.embeddings[0].dims()[0]);
        let seen: Vec<bool> = batch.teacher.iter().map(Option::is_some).collect();
        assert_eq!(seen, [true, true, false, false], "the teacher sees the large views");
        let predictor = heads.predictor.as_ref().expect("it is in the spec");
        assert!(batch.teacher_heads.is_some_and(|heads| heads.prototypes.len() == 1));
        let targets: Vec<_> = batch.teacher.into_iter().flatten().collect();
        let centre = Tensor::<Diff, 1>::from_floats(self.centre.as_slice(), &FlexDevice).reshape([1, 5]);
        let mut prediction = Tensor::<Diff, 1>::zeros([1], &FlexDevice);
        let mut pull = Tensor::<Diff, 1>::zeros([1], &FlexDevice);
        let mut scores = None;
        for (view, z) in batch.embeddings.into_iter().enumerate() {
            let target = Tensor::from_inner(targets[(view + 1) % 2].clone());
            let predicted = predictor.forward(z.clone(), NormMode::Train);
            prediction = prediction + (predicted - target).square().mean();
            let score = heads.prototypes[0].forward(z);
            pull = pull + (score.clone() - centre.clone()).square().mean() * 0.1;
            scores.get_or_insert(score);
        }
        let scores = scores.expect("there are views").inner().mean_dim(0);
        self.seen = Some(scores.into_data().to_vec().unwrap());
        LossOutput {
            loss: prediction.clone() + pull.clone(),
            readings: vec![("prediction", prediction), ("pull", pull)],
        }
    }

    fn before_step(&mut self, mut heads: Heads<Diff>, clock: Clock) -> Heads<Diff> {
        self.call("before", clock);
        heads.prototypes = heads.prototypes.into_iter().map(|p| p.normalized()).collect();
        heads
    }

    fn gradient(
        &mut self,
        name: &str,
        kind: ParamKind,
        gradient: Tensor<Flex, 2>,
        clock: Clock,
    ) -> Option<Tensor<Flex, 2>> {
        if name == "backbone.conv1.weight" {
            assert_eq!(kind, ParamKind::Convolution);
            self.call("gradient", clock);
        }
        Some(gradient)
    }

    fn after_step(&mut self, clock: Clock) {
        self.call("after", clock);
        let seen = self.seen.take().expect("a loss comes before");
        for (centre, seen) in self.centre.iter_mut().zip(seen) {
            *centre = 0.9 * *centre + 0.1 * seen;
        }
    }

    fn epoch(&mut self, clock: Clock) {
        self.call("epoch", clock);
    }

    fn state(&self) -> StateDict {
        let centre = HostTensor {
            shape: vec![5],
            data: self.centre.clone(),
        };
        [("centre".to_owned(), centre)].into()
    }

    fn load_state(&mut self, state: &StateDict, _device: &FlexDevice) -> Result<(), String> {
        self.centre = state.get("centre").ok_or("there is no centre")?.data.clone();
        Ok(())
    }
}

fn model(spec: &MethodSpec) -> Model<Diff> {
    let backbone = ResNetConfig::new(ResNetDepth::ResNet18)
        .with_stem(Stem::Cifar)
        .with_width(4)
        .with_zero_init_residual(false);
    ModelConfig::new(backbone, spec.heads.clone()).init(&FlexDevice, 5)
}

fn batch() -> HostBatch {
    let view = |seed: usize, size: usize, group: usize| HostView {
        pixels: pixels(N * 3 * size * size, seed),
        size,
        group,
    };
    HostBatch {
        views: vec![view(1, SIZE, 0), view(2, SIZE, 1), view(3, SMALL, 2), view(4, SMALL, 2)],
        n: N,
        channels: 3,
        labels: vec![None; N],
        indices: (0..N).collect(),
    }
}

fn clock(step: u64) -> Clock {
    Clock {
        step,
        total_steps: 10,
        steps_per_epoch: 5,
    }
}

fn gradients(passes: Passes, micro_batch: Option<usize>) -> (Vec<f32>, StateDict, f64) {
    let mut method = Everything::new(spec(EmaTiming::AfterStep, passes), Calls::default());
    let model = model(&method.plan.spec);
    let teacher = Teacher::<Diff, BuiltinBackbone<Diff>>::new(method.plan.spec.teacher.clone().unwrap(), &model);
    let profile = Profile::off();
    let context = StepContext {
        model: &model,
        teacher: Some(&teacher),
        clock: clock(0),
        seed: 3,
        profile: &profile,
        ranks: &Ranks::alone(),
    };
    let step = match micro_batch {
        Some(images) => cached_step_gradients(&context, &mut method, &batch(), images, &FlexDevice),
        None => {
            let batch: DeviceBatch<Diff> = batch().to_device(&FlexDevice);
            step_gradients(&context, &mut method, batch)
        }
    };
    assert_eq!(step.representations.len(), 4);
    let mut statistics = state_dict(&model).unwrap();
    statistics.retain(|name, _| name.contains("running"));
    (flat(step.gradients, &model), statistics, step.readings.read().loss())
}

#[test]
fn one_pass_and_the_cached_passes_give_one_gradient() {
    for passes in [Passes::PerView, Passes::PerSize, Passes::PerSizeOneHead] {
        let (one, statistics, loss) = gradients(passes, None);
        let (cached, cached_statistics, cached_loss) = gradients(passes, Some(N));
        assert_eq!(loss, cached_loss, "{passes:?}");
        assert!(
            distance(&cached, &one) < 1e-6,
            "{passes:?}: {}",
            distance(&cached, &one)
        );
        assert!(statistics == cached_statistics, "{passes:?}: running statistics");
        // With parts of the batch, only the batch norms of backbone and projector see other batches.
        let (parts, ..) = gradients(passes, Some(4));
        assert!(distance(&parts, &one) > 1e-4, "{passes:?}");
    }
    let (per_view, per_size) = (gradients(Passes::PerView, None), gradients(Passes::PerSize, None));
    assert!(
        distance(&per_view.0, &per_size.0) > 1e-4,
        "statistics are shared among views of a size"
    );
    let one_head = gradients(Passes::PerSizeOneHead, None);
    assert!(
        distance(&per_size.0, &one_head.0) > 1e-4,
        "the projector's statistics are shared among all views"
    );
}

#[test]
fn a_teacher_averages_parameters_at_its_time_and_never_statistics() {
    for update in [EmaTiming::BeforeForward, EmaTiming::AfterStep] {
        let spec = spec(update, Passes::PerView);
        let online = model(&spec);
        let mut teacher = Teacher::<Diff, BuiltinBackbone<Diff>>::new(spec.teacher.clone().unwrap(), &online);
        let before = teacher.state().unwrap();
        assert!(before == state_dict(&online.valid()).unwrap(), "it starts as a copy");
        // Other weights of the same network, with other statistics.
        let moved = barlow_model::initialize(online, 99);
        let images = Tensor::<Diff, 4>::ones([4, 3, 8, 8], &FlexDevice) * 0.5;
        moved.forward(images, NormMode::Train);
        let target = state_dict(&moved).unwrap();
        let other = match update {
            EmaTiming::BeforeForward => EmaTiming::AfterStep,
            EmaTiming::AfterStep => EmaTiming::BeforeForward,
        };
        teacher.update(other, &moved, 0.0);
        assert!(teacher.state().unwrap() == before, "not its time");
        teacher.update(update, &moved, 0.0);
        for (name, tensor) in teacher.state().unwrap() {
            let follows = !name.starts_with("predictor.") && !name.contains("running");
            for ((found, from), to) in tensor.data.iter().zip(&before[&name].data).zip(&target[&name].data) {
                // τ = 0.9 at the start of the run.
                let expected = if follows { from + (to - from) * 0.1 } else { *from };
                assert!(
                    (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                    "{name}: {found}, not {expected}"
                );
            }
        }
        // τ = 1 at its end.
        let before = teacher.state().unwrap();
        teacher.update(update, &moved, 1.0);
        assert!(teacher.state().unwrap() == before);
    }
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

fn config(micro_batch: Option<usize>) -> Config {
    let mut config = Config::default();
    config.model.backbone = BackboneKind::ResNet18;
    config.model.stem = Stem::Cifar;
    config.model.width = 4;
    config.model.zero_init_residual = false;
    config.views.size = SIZE;
    config.optimizer.kind = OptimizerKind::Sgd;
    config.optimizer.learning_rate_weights = Some(0.5);
    config.train.epochs = 2;
    config.train.batch_size = N;
    config.train.micro_batch = micro_batch;
    config.train.log_every = 1;
    config.eval.crop = SIZE;
    config.eval.resize = SIZE;
    config.eval.every = 1;
    config.data.workers = Some(0);
    config
}

fn images() -> Sources {
    let image =
        |k: usize| RgbImage8::from_fn(16, 16, |x, y| [(x * 16) as u8, (y * (k % 5) * 4) as u8, (k * 5) as u8]).into();
    let set = |count: usize| {
        let labels = (0..count).map(|k| k % 5).collect();
        let classes = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        Arc::new(MemorySet::new((0..count).map(image).collect(), Some(labels), classes))
    };
    Sources::of(set(5 * N), Some(set(20)), Normalization::imagenet())
}

fn run(out: &Path, micro_batch: Option<usize>, stop_at: Option<u64>, calls: &Calls) -> Result<(), RunError> {
    let stop = StopFlag::default();
    let method = Everything::new(spec(EmaTiming::AfterStep, Passes::PerSize), calls.clone());
    let mut builder = Run::builder::<Diff>(config(micro_batch), FlexDevice)
        .out(out)
        .images(images())
        .method(Box::new(method))
        .stop(stop.clone());
    if let Some(step) = stop_at {
        builder = builder.sink(StopAt(step, stop));
    }
    builder.open()?.train().map(drop)
}

fn bytes(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("backbone.safetensors")).unwrap()
}

#[test]
fn a_run_stopped_anywhere_ends_with_the_bytes_of_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, micro_batch) in [("whole", None), ("parts", Some(4))] {
        let calls = Calls::default();
        let whole = folder.path().join(name);
        run(&whole, micro_batch, None, &calls).unwrap();
        let order: Vec<String> = calls.lock().unwrap().iter().take(7).cloned().collect();
        let expected = [
            "epoch 0",
            "before 0",
            "loss 0",
            "gradient 0",
            "after 0",
            "before 1",
            "loss 1",
        ];
        assert_eq!(order, expected);
        assert!(calls.lock().unwrap().contains(&"epoch 5".to_owned()));
        let stopped = folder.path().join(format!("{name}-stopped"));
        // Twice: in the first epoch, before and after the prototypes thaw, and in the second.
        for step in [1, 3, 7] {
            let error = run(&stopped, micro_batch, Some(step), &Calls::default()).unwrap_err();
            assert!(matches!(error, RunError::Interrupted(_)), "{error}");
        }
        run(&stopped, micro_batch, None, &Calls::default()).unwrap();
        assert!(bytes(&whole) == bytes(&stopped), "{name}");
        let log = std::fs::read_to_string(stopped.join("metrics.jsonl")).unwrap();
        assert!(log.lines().next().unwrap().contains("\"prediction\":"), "{log}");
        let summary = std::fs::read_to_string(stopped.join("summary.json")).unwrap();
        assert!(
            summary.contains("\"method\": \"everything\"") && summary.contains("\"pull\""),
            "{summary}"
        );
        let report = std::fs::read_to_string(stopped.join("report.html")).unwrap();
        assert!(report.contains("view small 1"), "the report shows the small views");
    }
    assert!(bytes(&folder.path().join("whole")) != bytes(&folder.path().join("parts")));
}

#[test]
fn another_method_does_not_resume_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Calls::default();
    let error = run(folder.path(), None, Some(2), &calls).unwrap_err();
    assert!(matches!(error, RunError::Interrupted(_)), "{error}");
    let resume = |spec: MethodSpec| {
        let method = Everything::new(spec, calls.clone());
        let builder = Run::builder::<Diff>(config(None), FlexDevice)
            .out(folder.path())
            .images(images())
            .method(Box::new(method));
        builder.open().map(drop)
    };
    let mut other = spec(EmaTiming::AfterStep, Passes::PerSize);
    other.teacher.as_mut().unwrap().momentum.start = 0.5;
    let error = resume(other).unwrap_err();
    let line = error.to_string();
    assert!(
        matches!(error, RunError::Usage(_)) && line.contains("a different method") && line.contains("teacher"),
        "{line}"
    );
    // Barlow Twins, by the config.
    let plain = Run::builder::<Diff>(config(None), FlexDevice)
        .out(folder.path())
        .images(images());
    let line = plain.open().map(drop).unwrap_err().to_string();
    assert!(line.contains("a different method"), "{line}");
    // Other crops of the same groups are the config's to change.
    let mut views = spec(EmaTiming::AfterStep, Passes::PerSize);
    views.views[2].view.crop_scale = [0.05, 0.14];
    resume(views).unwrap();
}

#[test]
fn a_teacher_that_is_evaluated_is_what_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), None, None, &Calls::default()).unwrap();
    let last = std::fs::read(folder.path().join("checkpoints/step-00000010.safetensors")).unwrap();
    let checkpoint = barlow_model::read_safetensors(&last).unwrap();
    let exported = barlow_model::read_safetensors(&bytes(folder.path())).unwrap();
    let name = "layer1.0.conv1.weight";
    assert_eq!(
        exported.tensors[name],
        checkpoint.tensors[&format!("teacher.backbone.{name}")]
    );
    assert_ne!(
        exported.tensors[name],
        checkpoint.tensors[&format!("model.backbone.{name}")]
    );
    // A constant tensor of the method's.
    let data = TensorData::new(checkpoint.tensors["method.centre"].data.clone(), [5]);
    assert!(data.iter::<f32>().any(|value| value != 0.0));
}

/// A ViT with everything that a ResNet does not have: drop path by key, frozen patches, fixed positions.
fn run_vit(out: &Path, micro_batch: Option<usize>, stop_at: Option<u64>) -> Result<(), RunError> {
    let mut config = config(micro_batch);
    config.model.backbone = BackboneKind::VitTiny;
    config.model.projector = "16-16".into();
    config.model.vit.depth = 2;
    config.model.vit.patch = SIZE / 2;
    config.model.vit.positions = Positions::SinCos;
    config.model.vit.init = VitInit::MocoV3;
    config.model.vit.frozen_patches = true;
    config.model.vit.drop_path = 0.2;
    let stop = StopFlag::default();
    let mut builder = Run::builder::<Diff>(config, FlexDevice)
        .out(out)
        .images(images())
        .stop(stop.clone());
    if let Some(step) = stop_at {
        builder = builder.sink(StopAt(step, stop));
    }
    builder.open()?.train().map(drop)
}

#[test]
fn a_vit_with_drop_path_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, micro_batch) in [("whole", None), ("parts", Some(4))] {
        let whole = folder.path().join(name);
        run_vit(&whole, micro_batch, None).unwrap();
        let stopped = folder.path().join(format!("{name}-stopped"));
        for step in [2, 6] {
            let error = run_vit(&stopped, micro_batch, Some(step)).unwrap_err();
            assert!(matches!(error, RunError::Interrupted(_)), "{error}");
        }
        run_vit(&stopped, micro_batch, None).unwrap();
        assert!(bytes(&whole) == bytes(&stopped), "{name}");
    }
    // What is frozen is what a new network has; the rest was trained.
    let exported = barlow_model::read_safetensors(&bytes(&folder.path().join("whole"))).unwrap();
    let last = std::fs::read(folder.path().join("whole/checkpoints/step-00000010.safetensors")).unwrap();
    let checkpoint = barlow_model::read_safetensors(&last).unwrap();
    let buffers = |name: &str| {
        checkpoint
            .tensors
            .keys()
            .any(|key| key.starts_with(&format!("optimizer.backbone.{name}#")))
    };
    for (name, is_trained) in [
        ("cls_token", true),
        ("pos_embed", false),
        ("patch_embed.proj.weight", false),
        ("blocks.1.attn.qkv.weight", true),
    ] {
        assert!(exported.tensors.contains_key(name), "{name}");
        assert_eq!(buffers(name), is_trained, "{name}");
    }
}
