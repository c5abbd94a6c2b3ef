//! What an evaluation of finished runs is given, and how a run's checkpoint and images are opened.

use crate::backend::DeviceLabel;
use crate::checkpoint::{Checkpoint, Damaged, NoCheckpoint};
use crate::config::Config;
use crate::console::Console;
use crate::device::ComputeDevice;
use crate::error::RunError;
use crate::evaluation::{FeatureLayer, FeatureOptions, Watch};
use crate::run_dir::RunDir;
use crate::sources::{self, Sources};
use crate::stop::StopFlag;
use barlow_data::DataFormat;
use std::path::Path;
use std::sync::Arc;

/// A run whose network is evaluated, and the images.
pub struct EvaluatedRun {
    /// The run.
    pub run: RunDir,
    /// Take the last checkpoint, not the best one.
    pub last: bool,
    /// The run's config, with the data set to evaluate on.
    pub config: Config,
}

/// Which runs are evaluated, and where.
pub struct EvaluationRequest {
    /// The runs: one, or several that differ by their seed.
    pub runs: Vec<EvaluatedRun>,
    /// Seeds of the protocol and of untrained networks.
    pub seeds: Vec<u64>,
    /// Whether networks with initial weights are evaluated, too, one a seed.
    pub untrained: bool,
    /// Whether features are read from the user's cache folder and written to it.
    pub cache: bool,
    /// Where features are computed.
    pub device: Arc<dyn ComputeDevice>,
    /// How messages name the device.
    pub label: DeviceLabel,
    /// Prints messages.
    pub console: Arc<dyn Console>,
    /// Set when the evaluation should stop.
    pub stop: StopFlag,
}

impl EvaluationRequest {
    /// Where progress is reported, and what stops the evaluation.
    pub fn watch(&self) -> Watch<'_> {
        Watch {
            console: self.console.as_ref(),
            stop: &self.stop,
        }
    }

    /// Name of the result of a task on the request's data set; the default features are not named.
    pub(super) fn transfer_name(&self, task: &str, features: &FeatureOptions) -> String {
        let path = self.runs.first().map(|run| run.config.data.path.as_path());
        let data = path.and_then(Path::file_name).unwrap_or_default();
        let layer = if features.layer == FeatureLayer::default() {
            ""
        } else {
            "-2x2"
        };
        let resized = if features.squash { "-squash" } else { "" };
        format!("transfer-{task}{layer}{resized}-{}", data.to_string_lossy())
    }

    /// The chosen checkpoint of a run and its images. Unless they may have `several_labels`, there are at least two classes.
    ///
    /// # Errors
    /// When the run has no checkpoint, or the images cannot be read or evaluated on.
    pub(super) fn open(&self, run: &EvaluatedRun, several_labels: bool) -> Result<(Checkpoint, Sources), RunError> {
        let kept = Checkpoint::chosen(&run.run, run.last)?;
        for Damaged { error, .. } in &kept.damaged {
            self.console.warn(&format!("{error:#}"));
        }
        let checkpoint = kept
            .checkpoint
            .ok_or_else(|| RunError::usage(NoCheckpoint(run.run.root().to_owned())))?;
        let console = &self.console;
        let sources = sources::open(&run.config, true, &|line| console.line(line)).map_err(RunError::usage)?;
        if sources.left_out.is_worth_a_warning() {
            self.console.warn(&format!("skipped: {}", sources.left_out));
        }
        let path = &run.config.data.path;
        match &sources.test {
            None => return Err(no_accuracy(&sources, path)),
            Some(_) if several_labels && sources.train.classes().len() < 2 => {
                return Err(RunError::usage(format!(
                    "{} has no labelled training and test images; pass --data DIR, such as a folder of VOC",
                    path.display()
                )));
            }
            Some(_) if !several_labels && sources.classes.len() < 2 => return Err(no_accuracy(&sources, path)),
            Some(_) => {}
        }
        Ok((checkpoint, sources))
    }
}

/// Why top-1 accuracy cannot be measured on the images.
fn no_accuracy(sources: &Sources, path: &Path) -> RunError {
    let path = path.display();
    RunError::usage(match sources.classes.as_slice() {
        [only] => format!("{path} has one class only ({only}), so accuracy cannot be measured; pass --data DIR"),
        _ if sources.format == DataFormat::Voc => format!(
            "{path} has several labels per image, so top-1 accuracy cannot be measured; use transfer --task svm, or pass --data DIR"
        ),
        _ => format!(
            "{path} has no labelled train/ and test/ (or val/) folders, so accuracy cannot be measured; pass --data DIR"
        ),
    })
}
