//! Everything that a run begins with.

use super::RunOrigin;
use crate::backend::{DeviceLabel, TrainBackend};
use crate::console::Console;
use crate::method::Method;
use crate::metrics::MetricsSink;
use crate::plan::Plan;
use crate::sources::Sources;
use crate::stop::StopFlag;
use crate::training::TrainBackbone;
use crate::weights::HeadsFit;
use barlow_model::Model;
use std::sync::Arc;

/// Everything that a run begins with.
pub(super) struct Ready<'a, B: TrainBackend, M: TrainBackbone<B>> {
    pub plan: Plan,
    pub sources: Sources,
    pub origin: RunOrigin,
    /// What weights to start from give the heads.
    pub fit: Option<HeadsFit>,
    pub label: DeviceLabel,
    pub console: Arc<dyn Console>,
    pub stop: StopFlag,
    pub experiment: Experiment<'a, B, M>,
}

/// What is trained, where, and where its metrics go: the part of a run that knows the backend.
pub(super) struct Experiment<'a, B: TrainBackend, M: TrainBackbone<B>> {
    pub device: B::Device,
    /// With weights yet to be initialised.
    pub model: Model<B, M>,
    /// Whether the backbone's weights are initialised from the seed.
    pub initialise: bool,
    pub method: Box<dyn Method<B>>,
    pub sinks: Vec<Box<dyn MetricsSink + 'a>>,
    /// Whether to print at the end where the time went.
    pub profile: bool,
}
