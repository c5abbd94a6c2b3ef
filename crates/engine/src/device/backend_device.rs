//! A device of a Burn backend.

use super::{ComputeDevice, PreparedTraining, RunRequest};
use crate::backend::TrainBackend;
use crate::config::Config;
use crate::conformance::{By, Case, Values};
use crate::detect::{DetectorJob, TrainedDetector, train_detector};
use crate::error::RunError;
use crate::evaluation::{Network, initial_weights_of, network_of};
use crate::run::Run;
use crate::timing::{Repeats, Timing, Workload};
use anyhow::Result;
use barlow_model::StateDict;
use std::fmt;

/// A device of the backend `B`.
pub struct BackendDevice<B: TrainBackend> {
    device: B::Device,
    on_pool: bool,
}

impl<B: TrainBackend> BackendDevice<B> {
    /// The device, used from the caller's thread.
    pub fn new(device: B::Device) -> Self {
        Self { device, on_pool: false }
    }

    /// The device, used from a thread of the global Rayon pool: on a backend that computes on that pool, an operation started
    /// from outside wakes another thread and waits for it (3 % of a small step).
    pub fn on_pool(device: B::Device) -> Self {
        Self { device, on_pool: true }
    }
}

impl<B: TrainBackend> fmt::Debug for BackendDevice<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.device)
    }
}

impl<B: TrainBackend> ComputeDevice for BackendDevice<B> {
    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        if self.on_pool {
            rayon::scope(|_| work());
        } else {
            work();
        }
    }

    fn prepare(&self, request: RunRequest) -> Result<Box<dyn PreparedTraining>, RunError> {
        let RunRequest {
            recipe,
            config,
            label,
            origin,
            images,
            console,
            stop,
            profile,
            dry_run,
            baselines,
            group,
        } = request;
        let builder = Run::builder::<B>(config, self.device.clone())
            .recipe(recipe)
            .label(label)
            .origin(origin)
            .console(console)
            .stop(stop)
            .profile(profile)
            .dry_run(dry_run)
            .baselines(baselines)
            .group(group);
        let builder = match images {
            Some(images) => builder.images(images),
            None => builder,
        };
        Ok(Box::new(builder.prepare()?))
    }

    fn network(&self, weights: &StateDict, config: &Config, projector: bool) -> Result<Box<dyn Network>> {
        network_of::<B::InnerBackend>(weights, config, projector, &self.device)
    }

    fn initial_weights(&self, config: &Config, seed: u64) -> Result<StateDict> {
        initial_weights_of::<B::InnerBackend>(config, seed, &self.device)
    }

    fn train_detector(&self, job: &DetectorJob<'_>) -> Result<TrainedDetector, RunError> {
        train_detector::<B>(job, &self.device)
    }

    fn conformance(&self, case: &Case, by: By) -> Values {
        case.values::<B>(by, &self.device)
    }

    fn time(&self, workload: &Workload, repeats: Repeats) -> Timing {
        workload.time::<B>(repeats, &self.device)
    }
}
