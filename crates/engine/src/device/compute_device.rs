//! The trait of a device whose backend is erased.

use super::PreparedTraining;
use crate::backend::DeviceLabel;
use crate::config::Config;
use crate::conformance::{By, Case, Values};
use crate::console::Console;
use crate::detect::{DetectorJob, TrainedDetector};
use crate::error::RunError;
use crate::evaluation::Network;
use crate::ranks::group::Group;
use crate::run::RunOrigin;
use crate::sources::Sources;
use crate::stop::StopFlag;
use crate::timing::{Repeats, Timing, Workload};
use anyhow::Result;
use barlow_model::StateDict;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

/// A device of some backend.
pub trait ComputeDevice: Debug + Send + Sync {
    /// Runs `work` on the thread from which the device's operations start fastest; returns when it is done.
    fn enter(&self, work: &mut (dyn FnMut() + Send));

    /// Resolves a run's config, opens its images and makes its plan; writes nothing to the run's folder.
    ///
    /// # Errors
    /// [`RunError::Usage`] if the run is not possible.
    fn prepare(&self, request: RunRequest) -> Result<Box<dyn PreparedTraining>, RunError>;

    /// The config's network with `weights` by the names of a checkpoint; with its projector if `projector`.
    ///
    /// # Errors
    /// If the network is a custom one, or the weights do not fit the config.
    fn network(&self, weights: &StateDict, config: &Config, projector: bool) -> Result<Box<dyn Network>>;

    /// The initial weights of the config's network for a seed, those from which a run starts.
    ///
    /// # Errors
    /// If the network is a custom one.
    fn initial_weights(&self, config: &Config, seed: u64) -> Result<StateDict>;

    /// Trains a detector and tests it; one that has begun in its folder is continued.
    ///
    /// # Errors
    /// As [`train_detector`](crate::detect::train_detector).
    fn train_detector(&self, job: &DetectorJob<'_>) -> Result<TrainedDetector, RunError>;

    /// Computes a case of the conformance suite.
    fn conformance(&self, case: &Case, by: By) -> Values;

    /// Times a part of a run.
    fn time(&self, workload: &Workload, repeats: Repeats) -> Timing;
}

impl dyn ComputeDevice {
    /// Runs `work` on the device, on the thread from which its operations start fastest.
    pub fn run<T: Send>(&self, work: impl FnOnce(&Self) -> T + Send) -> T {
        let (mut work, mut result) = (Some(work), None);
        self.enter(&mut || result = work.take().map(|work| work(self)));
        result.expect("the device runs the work once")
    }
}

/// A run as the program requests it: network and method are those of the config.
pub struct RunRequest {
    /// Name of the recipe.
    pub recipe: String,
    /// The config, validated.
    pub config: Config,
    /// How messages name the device.
    pub label: DeviceLabel,
    /// A new run, or an existing one to resume.
    pub origin: RunOrigin,
    /// Images that are open already, instead of opening the config's.
    pub images: Option<Sources>,
    /// Prints messages.
    pub console: Arc<dyn Console>,
    /// Stops the run after a checkpoint.
    pub stop: StopFlag,
    /// Print a time profile at the end.
    pub profile: bool,
    /// Write nothing.
    pub dry_run: bool,
    /// A folder in which runs share evaluations of equal untrained networks, if any.
    pub baselines: Option<PathBuf>,
    /// The rank of this process in a run that several train together.
    pub group: Arc<dyn Group>,
}
