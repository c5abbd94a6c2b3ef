//! Progress of a long evaluation, and how the caller stops it.

use crate::EvalError;
use std::ops::ControlFlow;

/// What an evaluation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reads the training features for their statistics.
    Reading,
    /// Compares test with training images; `done` and `total` count pairs of images.
    Neighbours,
    /// Chooses a setting on images held out of the training set; `done` and `total` count settings.
    Choosing,
    /// Fits a classifier; `done` counts iterations, `total` is their limit.
    Fitting,
    /// Classifies the test images; `done` and `total` count images.
    Scoring,
}

/// How far an evaluation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Units of the stage that are done.
    pub done: usize,
    /// Units of the stage in all.
    pub total: usize,
    /// Value of the objective that is being minimised, in [`Stage::Fitting`] and [`Stage::Choosing`].
    pub objective: Option<f64>,
}

/// Called on the calling thread at least once a block of rows, which takes seconds at most on common sizes.
/// [`ControlFlow::Break`] ends the evaluation with [`EvalError::Stopped`].
pub type Control<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// A [`Control`] that reports nothing and never stops.
pub fn unattended(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Reports progress.
pub(crate) fn report(control: &mut Control, progress: Progress) -> Result<(), EvalError> {
    match control(&progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EvalError::Stopped),
    }
}
