//! What the evaluations of a run's frozen features have in common: the run's checkpoint and the labelled images.

use crate::console::Terminal;
use barlow_data::DataFormat;
use barlow_engine::checkpoint::{Checkpoint, Damaged, NoCheckpoint};
use barlow_engine::config::Config;
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{Accuracy, Wanted, Watch, evaluate};
use barlow_engine::run_dir::RunDir;
use barlow_engine::sources::{self, Sources};
use barlow_engine::stop::StopFlag;
use barlow_train::device::Selected;

/// What to evaluate.
pub struct ProbeRequest {
    /// The run.
    pub run: RunDir,
    /// Take the last checkpoint, not the best one.
    pub last: bool,
    /// The run's config, with the data set to evaluate on.
    pub config: Config,
    /// Where the features are computed.
    pub selected: Selected,
    /// Where messages go.
    pub console: Terminal,
    /// Set when the evaluation should stop.
    pub stop: StopFlag,
}

impl ProbeRequest {
    /// The chosen checkpoint and images with one label each.
    ///
    /// # Errors
    /// When the run has no checkpoint, or the images cannot be read or evaluated on.
    pub fn open(&self) -> Result<(Checkpoint, Sources), RunError> {
        let (checkpoint, sources) = self.open_any()?;
        if sources.test.is_none() || sources.classes.len() < 2 {
            return Err(self.no_accuracy(&sources));
        }
        Ok((checkpoint, sources))
    }

    /// The chosen checkpoint and the images, whatever their labels are.
    ///
    /// # Errors
    /// When the run has no checkpoint, or the images cannot be read.
    pub fn open_any(&self) -> Result<(Checkpoint, Sources), RunError> {
        let kept = Checkpoint::chosen(&self.run, self.last)?;
        for Damaged { error, .. } in &kept.damaged {
            self.console.warn(&format!("{error:#}"));
        }
        let checkpoint = kept
            .checkpoint
            .ok_or_else(|| RunError::usage(NoCheckpoint(self.run.root().to_owned())))?;
        let sources = sources::open(&self.config, true, &|line| self.console.line(line)).map_err(RunError::usage)?;
        if sources.left_out.is_worth_a_warning() {
            self.console.warn(&format!("skipped: {}", sources.left_out));
        }
        Ok((checkpoint, sources))
    }

    /// Evaluates the checkpoint's network; also returns its step and the names of the classes.
    ///
    /// # Errors
    /// As [`ProbeRequest::open`], or if the evaluation should stop.
    pub fn evaluate(&self, wanted: &Wanted<'_>) -> Result<(Accuracy, u64, Vec<String>), RunError> {
        let (checkpoint, sources) = self.open()?;
        let evaluated = self.selected.run(|device| {
            let network = device.network(checkpoint.evaluated(&self.config), &self.config, false)?;
            evaluate(network.as_ref(), &sources, &self.config, wanted, &self.watch())
        });
        let accuracy = evaluated?.ok_or_else(|| self.no_accuracy(&sources))?;
        Ok((accuracy, checkpoint.progress.step, sources.classes))
    }

    /// Where progress is reported, and what stops the evaluation.
    pub fn watch(&self) -> Watch<'_> {
        Watch {
            console: &self.console,
            stop: &self.stop,
        }
    }

    /// The data set as results name it.
    pub fn data(&self) -> String {
        self.config.data.path.to_string_lossy().into_owned()
    }

    fn no_accuracy(&self, sources: &Sources) -> RunError {
        let path = self.config.data.path.display();
        RunError::usage(match sources.classes.as_slice() {
            [only] => format!("{path} has one class only ({only}), so accuracy cannot be measured; pass --data DIR"),
            _ if sources.format == DataFormat::Voc => {
                format!(
                    "{path} has several labels per image, so top-1 accuracy cannot be measured; use transfer --task svm, or pass --data DIR"
                )
            }
            _ => format!(
                "{path} has no labelled train/ and test/ (or val/) folders, so accuracy cannot be measured; pass --data DIR"
            ),
        })
    }
}
