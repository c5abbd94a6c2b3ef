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
    /// With weights yet to be initialised.
    pub model: Model<B, M>,
    pub initialise: bool,
    pub method: Box<dyn Method<B>>,
    /// What weights to start from give the heads.
    pub fit: Option<HeadsFit>,
    pub device: B::Device,
    pub label: DeviceLabel,
    pub sinks: Vec<Box<dyn MetricsSink + 'a>>,
    pub console: Arc<dyn Console>,
    pub stop: StopFlag,
    pub profile: bool,
}
