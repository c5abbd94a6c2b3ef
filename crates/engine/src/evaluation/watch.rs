//! What a long evaluation does besides computing: it reports its progress and stops when it is asked to.

use crate::console::Console;
use crate::error::RunError;
use crate::stop::StopFlag;
use crate::units::duration;
use barlow_eval::{EvalError, Progress};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use thiserror::Error;

/// The interval between two lines of progress. An evaluation that is shorter prints none.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Why an evaluation has no result.
#[derive(Debug, Error)]
pub enum EvaluationError {
    /// It was asked to stop, in the phase named.
    #[error("interrupted while {0}")]
    Stopped(String),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<EvaluationError> for RunError {
    /// For evaluations outside a run: nothing is lost, because the same command repeats them.
    fn from(error: EvaluationError) -> Self {
        match error {
            EvaluationError::Stopped(_) => Self::Interrupted(format!("{error}; the same command starts it again")),
            EvaluationError::Failed(error) => Self::Failed(error),
        }
    }
}

/// Where an evaluation's progress is reported, and what stops it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Prints the progress.
    pub console: &'a dyn Console,
    /// Set when the evaluation should stop.
    pub stop: &'a StopFlag,
}

impl<'a> Watch<'a> {
    /// A phase of `total` parts; `what` completes "interrupted while …", such as "extracting the features of the test images".
    pub fn phase(&self, what: String, total: usize) -> Phase<'a> {
        let now = Instant::now();
        Phase {
            watch: *self,
            heading: "evaluation",
            what,
            total,
            started: now,
            told: now,
        }
    }
}

/// A phase in progress.
pub struct Phase<'a> {
    watch: Watch<'a>,
    heading: &'static str,
    what: String,
    total: usize,
    started: Instant,
    told: Instant,
}

impl Phase<'_> {
    /// The same with another first word of its lines than "evaluation".
    pub fn under(self, heading: &'static str) -> Self {
        Self { heading, ..self }
    }

    /// As [`Phase::at`], for the functions of `barlow-eval`, which count their parts themselves.
    pub(super) fn control(&mut self, progress: &Progress) -> ControlFlow<()> {
        self.total = progress.total;
        match self.at(progress.done) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// The error of such a function.
    pub(super) fn error(&self, error: EvalError) -> EvaluationError {
        match error {
            EvalError::Stopped => EvaluationError::Stopped(self.what.clone()),
            error => EvaluationError::Failed(error.into()),
        }
    }

    /// `done` parts are done: prints a line now and then.
    ///
    /// # Errors
    /// [`EvaluationError::Stopped`] if the evaluation should stop.
    pub fn at(&mut self, done: usize) -> Result<(), EvaluationError> {
        if self.watch.stop.is_set() {
            return Err(EvaluationError::Stopped(self.what.clone()));
        }
        if self.told.elapsed() >= BETWEEN_LINES && done > 0 {
            self.told = Instant::now();
            let left = self.started.elapsed().as_secs_f64() / done as f64 * self.total.saturating_sub(done) as f64;
            self.watch.console.line(&format!(
                "{:<11} {}: {done} of {}, {} left",
                self.heading,
                self.what,
                self.total,
                duration(left)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::PlainConsole;

    #[test]
    fn a_stopped_evaluation_names_its_phase() {
        let stop = StopFlag::default();
        let watch = Watch {
            console: &PlainConsole { quiet: true },
            stop: &stop,
        };
        let mut phase = watch.phase("extracting features".to_owned(), 10);
        assert!(phase.at(3).is_ok());
        stop.set();
        let error = RunError::from(phase.at(4).unwrap_err());
        assert!(matches!(&error, RunError::Interrupted(_)));
        assert_eq!(
            error.to_string(),
            "interrupted while extracting features; the same command starts it again"
        );
    }
}
