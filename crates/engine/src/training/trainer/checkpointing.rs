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
    /// Writes a checkpoint of the run as it is; every rank must call it, and rank 0 writes.
    ///
    /// # Errors
    /// With the path, or if there is something that is not finite; earlier checkpoints stay.
    pub fn save(&mut self, is_best: bool) -> Result<(), RunError> {
        self.check_parameters()?;
        let ranks = self.ranks.clone();
        ranks.decided_by_first(|| {
            self.save_here(is_best)?;
            Ok(true)
        })?;
        Ok(())
    }

    /// Checks that all ranks have the same parameters, bit for bit. Running statistics may differ where norms are not synchronised.
    fn check_parameters(&self) -> Result<(), RunError> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let model = self.model.as_ref().expect("present between two steps").valid();
        let state = state_dict(&model).map_err(anyhow::Error::from)?;
        let mut hash = blake3::Hasher::new();
        for (name, tensor) in state.iter().filter(|(name, _)| !name.contains(".running_")) {
            hash.update(name.as_bytes());
            for values in tensor.data.chunks(4096) {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                hash.update(&bytes);
            }
        }
        let word = hash.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
        if self.ranks.have_equal(u64::from_le_bytes(word)) {
            return Ok(());
        }
        let error = RunError::Failed(anyhow!(
            "the parameters of the ranks differ at step {}: their devices or libraries compute differently; the last checkpoint is kept in {}",
            self.progress.step,
            self.context.run.checkpoints().display()
        ));
        Err(match self.ranks.is_first() {
            true => error,
            false => RunError::OnAnotherRank(Box::new(error)),
        })
    }

    /// [`Trainer::save`] of rank 0 alone.
    fn save_here(&mut self, is_best: bool) -> Result<()> {
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

    /// Writes a checkpoint, and is the error of the interruption; every rank must call it.
    pub(super) fn interrupt(&mut self) -> Result<RunError, RunError> {
        if let Err(error) = self.check_parameters() {
            return Ok(error);
        }
        let ranks = self.ranks.clone();
        let interrupted = ranks.decided_by_first(|| Err(self.interrupt_here()?));
        Ok(interrupted.expect_err("it is one"))
    }

    /// [`Trainer::interrupt`] of rank 0 alone.
    pub(super) fn interrupt_here(&mut self) -> Result<RunError> {
        self.save_here(false)?;
        let root = self.context.run.root().display();
        Ok(RunError::Interrupted(format!(
            "interrupted at step {} of {}; a checkpoint is in {root}; continue with --resume --out {root}",
            self.progress.step, self.context.plan.schedule.total_steps
        )))
    }

    /// Evaluates the trained network, on rank 0 alone.
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
            self.save_here(true)?;
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
