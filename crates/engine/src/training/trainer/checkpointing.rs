//! What a run saves: checkpoints, and what is left at its end.

use super::{Standing, Trainer};
use crate::backend::TrainBackend;
use crate::checkpoint::Checkpoint;
use crate::error::RunError;
use crate::evaluation::Accuracy;
use crate::training::{OnlineProbe, Phase, Teacher, TrainBackbone};
use anyhow::{Context, Result, anyhow};
use barlow_model::{Model, StateDict, state_dict};
use burn::module::AutodiffModule;

/// What is left of a run whose last step is made.
pub struct FinishedTraining<B: TrainBackend, M: TrainBackbone<B>> {
    /// The trained network, or its teacher where the method says so.
    pub model: Model<B::InnerBackend, M::InnerModule>,
    /// Where the run stands, with the last evaluation.
    pub standing: Standing,
}

impl<B: TrainBackend, M: TrainBackbone<B>> Trainer<'_, B, M> {
    /// Writes a checkpoint of the run as it is.
    ///
    /// # Errors
    /// With the path, or if there is something that is not finite; earlier checkpoints stay.
    pub fn save(&mut self, is_best: bool) -> Result<()> {
        let profile = self.profile;
        profile.time(Phase::Monitors, || self.write_checkpoint(is_best))
    }

    fn write_checkpoint(&mut self, is_best: bool) -> Result<()> {
        self.progress.wall_seconds = self.wall_seconds();
        let model = self.model.as_ref().expect("present between two steps").valid();
        let teacher = self.teacher.as_ref().map(Teacher::state).transpose()?;
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            model: state_dict(&model)?,
            optimizer: self.optimizer.state(),
            probe: self.probe.as_ref().map(OnlineProbe::state).unwrap_or_default(),
            teacher: teacher.unwrap_or_else(StateDict::new),
            method: self.method.state(),
        };
        let saved = checkpoint.save(&self.context.run, self.context.plan.config.train.keep, is_best);
        saved.with_context(|| {
            format!(
                "no checkpoint could be written at step {}, earlier ones are intact (continue with --resume --out {})",
                self.progress.step,
                self.context.run.root().display()
            )
        })?;
        Ok(())
    }

    pub(super) fn interrupt(&mut self) -> Result<RunError> {
        self.save(false)?;
        let root = self.context.run.root().display();
        Ok(RunError::Interrupted(format!(
            "interrupted at step {} of {}; a checkpoint is in {root}; continue with --resume --out {root}",
            self.progress.step, self.context.plan.schedule.total_steps
        )))
    }

    /// Evaluates the trained network.
    ///
    /// # Errors
    /// [`RunError::Interrupted`] if the evaluation should stop; [`RunError::Failed`] when an image cannot be read, or the best
    /// checkpoint cannot be written.
    pub fn finish(mut self) -> Result<FinishedTraining<B, M>, RunError> {
        if let Some(first) = &self.loader.skipped().first {
            let count = self.loader.skipped().count;
            self.context
                .console
                .warn(&format!("{count} images were replaced by others; the first: {first}"));
        }
        let accuracy = self.measure_trained()?;
        if let Some(accuracy) = &accuracy
            && self.record(self.context.plan.config.train.epochs, accuracy)?
        {
            self.save(true)?;
        }
        let model = self.evaluated_model();
        if self.progress.last_epoch.is_none() {
            return Err(anyhow!("a finished run has losses").into());
        }
        let standing = self.standing(accuracy);
        Ok(FinishedTraining { model, standing })
    }

    pub(super) fn standing(&self, accuracy: Option<Accuracy>) -> Standing {
        Standing {
            progress: self.progress.clone(),
            accuracy,
            loss_floor: self.method.outlook().floor,
            wall_seconds: self.wall_seconds(),
        }
    }

    fn wall_seconds(&self) -> f64 {
        self.earlier_seconds + self.started.elapsed().as_secs_f64()
    }
}
