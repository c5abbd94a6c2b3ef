//! The parts of a prepared run.

use super::RunOrigin;
use crate::backend::{DeviceLabel, TrainBackend};
use crate::console::Console;
use crate::method::Method;
use crate::metrics::MetricsSink;
use crate::plan::Plan;
use crate::ranks::group::Group;
use crate::sources::Sources;
use crate::stop::StopFlag;
use crate::training::TrainBackbone;
use crate::weights::HeadsFit;
use barlow_model::Model;
use std::path::PathBuf;
use std::sync::Arc;

/// The parts of a prepared run.
pub(super) struct Ready<'a, B: TrainBackend, M: TrainBackbone<B>> {
    pub plan: Plan,
    pub sources: Sources,
    pub origin: RunOrigin,
    /// Which parts of the heads are loaded from the initial weights; `None` without initial weights.
    pub fit: Option<HeadsFit>,
    pub label: DeviceLabel,
    pub console: Arc<dyn Console>,
    pub stop: StopFlag,
    /// Where untrained evaluations are shared.
    pub baselines: Option<PathBuf>,
    /// The rank of this process or thread.
    pub group: Arc<dyn Group>,
    pub experiment: Experiment<'a, B, M>,
}

/// The part of a run that depends on the backend: network, method, device and metrics sinks.
pub(super) struct Experiment<'a, B: TrainBackend, M: TrainBackbone<B>> {
    pub device: B::Device,
    /// The network, with weights not yet initialised.
    pub model: Model<B, M>,
    /// Whether the backbone's weights are initialised from the seed.
    pub initialise: bool,
    pub method: Box<dyn Method<B>>,
    pub sinks: Vec<Box<dyn MetricsSink + 'a>>,
    /// Whether to print a time profile at the end.
    pub profile: bool,
}
