//! The builder of a run: a config, and the parts that a custom program replaces.

use super::RunOrigin;
use crate::backend::{DeviceLabel, TrainBackend};
use crate::config::{Config, ConfigError, ResolvedConfig};
use crate::console::{Console, PlainConsole};
use crate::method::{Method, MethodDefinition, MethodInputs, TwinLoss, TwinLossMethod};
use crate::metrics::MetricsSink;
use crate::ranks::group::{Alone, Group};
use crate::sources::Sources;
use crate::stop::StopFlag;
use crate::training::TrainBackbone;
use barlow_model::BuiltinBackbone;
use burn::tensor::Device;
use std::path::PathBuf;
use std::sync::Arc;

/// The entry point of a run.
///
/// ```no_run
/// use barlow_engine::{config::{Layers, load}, run::Run};
/// use burn::backend::Autodiff;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (_, config) = load(&Layers { recipe: Some("smoke".into()), ..Layers::default() })?;
/// # #[cfg(feature = "cpu")]
/// let summary = Run::builder::<Autodiff<burn_flex::Flex>>(config, Default::default())
///     .out("runs/smoke")
///     .open()?
///     .train()?;
/// # Ok(())
/// # }
/// ```
pub struct Run;

/// Builds the backbone, with weights not yet initialised.
pub(super) type MakeBackbone<'a, B, M> = Box<dyn FnOnce(&Config, &Device<B>) -> Result<M, ConfigError> + 'a>;
/// Builds the method.
pub(super) type MakeMethod<'a, B> = Box<dyn FnOnce(&ResolvedConfig, &MethodInputs) -> Box<dyn Method<B>> + 'a>;

/// A run under construction. Every part that is not set comes from the config.
pub struct RunBuilder<'a, B: TrainBackend, M = BuiltinBackbone<B>> {
    pub(super) config: Config,
    pub(super) device: B::Device,
    pub(super) recipe: String,
    pub(super) label: DeviceLabel,
    pub(super) origin: Option<RunOrigin>,
    pub(super) out: Option<PathBuf>,
    pub(super) images: Option<Sources>,
    pub(super) backbone: MakeBackbone<'a, B, M>,
    /// Whether the backbone's weights are initialised from the seed.
    pub(super) initialise: bool,
    pub(super) method: MakeMethod<'a, B>,
    pub(super) sinks: Vec<Box<dyn MetricsSink + 'a>>,
    pub(super) console: Arc<dyn Console>,
    pub(super) stop: StopFlag,
    pub(super) profile: bool,
    pub(super) dry_run: bool,
    pub(super) baselines: Option<PathBuf>,
    pub(super) group: Arc<dyn Group>,
}

impl Run {
    /// Starts the configuration of a run of `config` on `device`.
    pub fn builder<'a, B: TrainBackend>(config: Config, device: B::Device) -> RunBuilder<'a, B> {
        let label = DeviceLabel::of::<B>(&device);
        RunBuilder {
            config,
            device,
            recipe: "custom".to_owned(),
            label,
            origin: None,
            out: None,
            images: None,
            backbone: Box::new(|config, device| Ok(config.backbone()?.init(device))),
            initialise: true,
            method: Box::new(|config, inputs| config.method.build(&config.loss, inputs)),
            sinks: Vec::new(),
            console: Arc::new(PlainConsole::default()),
            stop: StopFlag::default(),
            profile: false,
            dry_run: false,
            baselines: None,
            group: Arc::new(Alone::default()),
        }
    }
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>> RunBuilder<'a, B, M> {
    /// Name of the recipe, for messages and the default folder; `custom` if not set.
    pub fn recipe(self, recipe: impl Into<String>) -> Self {
        Self {
            recipe: recipe.into(),
            ..self
        }
    }

    /// The run's folder. If it already holds a run, that run is resumed. The default is `runs/<recipe>-<UTC time>`.
    pub fn out(self, root: impl Into<PathBuf>) -> Self {
        Self {
            out: Some(root.into()),
            ..self
        }
    }

    /// A new run, or an existing one to resume. Overrides [`out`](Self::out).
    pub fn origin(self, origin: RunOrigin) -> Self {
        Self {
            origin: Some(origin),
            ..self
        }
    }

    /// How messages and `summary.json` name the device.
    pub fn label(self, label: DeviceLabel) -> Self {
        Self { label, ..self }
    }

    /// Images that replace the config's data set. A resumed run must be given the same images.
    pub fn images(self, images: Sources) -> Self {
        Self {
            images: Some(images),
            ..self
        }
    }

    /// A custom backbone, whose weights are initialised from the config's seed. The config must set
    /// `model.backbone = "custom"`, unless the backbone is the one that it names.
    pub fn backbone<N: TrainBackbone<B> + 'a>(self, backbone: N) -> RunBuilder<'a, B, N> {
        self.with_backbone(backbone, true)
    }

    /// A custom backbone that starts from the weights it already has. The config must set `model.backbone = "custom"`, unless
    /// the backbone is the ResNet that it names.
    pub fn initialised_backbone<N: TrainBackbone<B> + 'a>(self, backbone: N) -> RunBuilder<'a, B, N> {
        self.with_backbone(backbone, false)
    }

    fn with_backbone<N: TrainBackbone<B> + 'a>(self, backbone: N, initialise: bool) -> RunBuilder<'a, B, N> {
        RunBuilder {
            config: self.config,
            device: self.device,
            recipe: self.recipe,
            label: self.label,
            origin: self.origin,
            out: self.out,
            images: self.images,
            backbone: Box::new(|_, _| Ok(backbone)),
            initialise,
            method: self.method,
            sinks: self.sinks,
            console: self.console,
            stop: self.stop,
            profile: self.profile,
            dry_run: self.dry_run,
            baselines: self.baselines,
            group: self.group,
        }
    }

    /// A custom method; the config's `[method]` is ignored.
    pub fn method(self, method: Box<dyn Method<B>>) -> Self
    where
        B: 'a,
    {
        Self {
            method: Box::new(|_, _| method),
            ..self
        }
    }

    /// A custom loss of two views that replaces the config's method. Views and projector come from the config.
    pub fn loss<L: TwinLoss<B> + Send + 'static>(self, loss: L) -> Self {
        Self {
            method: Box::new(|config, inputs| {
                let plan = config.loss.plan(inputs);
                Box::new(TwinLossMethod::new::<B>(loss, plan, inputs.batch_size))
            }),
            ..self
        }
    }

    /// Adds a sink that receives every line of metrics, as `metrics.jsonl` and TensorBoard do.
    pub fn sink(mut self, sink: impl MetricsSink + 'a) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Where messages are printed; standard error if not set.
    pub fn console(self, console: Arc<dyn Console>) -> Self {
        Self { console, ..self }
    }

    /// A flag that stops the run: it finishes its step, writes a checkpoint and ends.
    pub fn stop(self, stop: StopFlag) -> Self {
        Self { stop, ..self }
    }

    /// Prints a time profile by phase at the end. Each phase then waits for the device to finish, which slows down training on a
    /// GPU.
    pub fn profile(self, profile: bool) -> Self {
        Self { profile, ..self }
    }

    /// Writes nothing before [`PreparedRun::open`](super::PreparedRun::open), not even to the user's cache folder, and skips the
    /// check of this machine's memory, so that the plan can be printed in any case.
    pub fn dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// The rank that this process or thread is in a run that several train together. Every rank builds the same run; the batch size is
    /// that of all ranks together, and rank 0 alone writes, prints and evaluates.
    pub fn group(self, group: Arc<dyn Group>) -> Self {
        Self { group, ..self }
    }

    /// A folder in which runs share evaluations before the first step: the network's are read from it, if a run with equal weights,
    /// images and evaluation settings on an equal device has saved them, and saved in it otherwise.
    pub fn baselines(self, baselines: Option<PathBuf>) -> Self {
        Self { baselines, ..self }
    }
}
