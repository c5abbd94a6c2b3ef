//! What stays of a run: checkpoints, and the results at its end.

use super::Trainer;
use crate::backend::TrainBackend;
use crate::checkpoint::Checkpoint;
use crate::error::AppError;
use crate::pretrain::finish;
use crate::pretrain::online::OnlineProbe;
use crate::pretrain::parts::{TrainBackbone, TwinLoss};
use crate::pretrain::profile::Phase;
use crate::pretrain::step::valid;
use crate::summary::Summary;
use anyhow::{Context, Result};
use barlow_model::state_dict;

impl<B: TrainBackend, M: TrainBackbone<B>, L: TwinLoss<B>> Trainer<'_, B, M, L> {
    pub(super) fn save(&mut self, is_best: bool) -> Result<()> {
        let profile = self.profile;
        profile.time(Phase::Monitors, || self.write_checkpoint(is_best))
    }

    fn write_checkpoint(&mut self, is_best: bool) -> Result<()> {
        self.progress.wall_seconds = self.wall_seconds();
        let model = valid(self.model.as_ref().expect("present between two steps"));
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            model: state_dict(&model),
            optimizer: self.optimizer.state(),
            probe: self.probe.as_ref().map(OnlineProbe::state).unwrap_or_default(),
        };
        let saved = checkpoint.save(&self.job.run, self.job.plan.config.train.keep, is_best);
        saved.with_context(|| {
            format!(
                "no checkpoint could be written at step {}, those before it are kept (continue with --resume --out {})",
                self.progress.step,
                self.job.run.root().display()
            )
        })?;
        Ok(())
    }

    pub(super) fn interrupt(&mut self) -> Result<AppError> {
        self.save(false)?;
        let root = self.job.run.root().display();
        Ok(AppError::Interrupted(format!(
            "interrupted at step {} of {}; a checkpoint is in {root}; continue with --resume --out {root}",
            self.progress.step, self.job.plan.schedule.total_steps
        )))
    }

    /// Measures the trained network and writes the results.
    pub(in crate::pretrain) fn finish(mut self) -> Result<Summary> {
        if let Some(first) = &self.loader.skipped().first {
            let count = self.loader.skipped().count;
            self.job
                .console
                .warn(&format!("{count} images were replaced by others; the first: {first}"));
        }
        let accuracy = self.measure(true, true)?;
        if let Some(accuracy) = &accuracy
            && self.record(self.job.plan.config.train.epochs, accuracy)?
        {
            self.save(true)?;
        }
        let model = valid(self.model.as_ref().expect("present between two steps"));
        self.profile.time(Phase::Monitors, || {
            finish::export_backbone(self.job, &model.backbone, self.progress.step)
        })?;
        let wall_seconds = self.wall_seconds();
        let last_epoch = self.progress.last_epoch.context("a finished run has losses")?;
        let summary = finish::summary(
            self.job,
            &self.progress,
            accuracy.as_ref(),
            (last_epoch.loss, self.loss_floor),
            wall_seconds,
        );
        self.profile
            .time(Phase::Monitors, || finish::write_results(self.job, &summary))?;
        Ok(summary)
    }

    fn wall_seconds(&self) -> f64 {
        self.earlier_seconds + self.started.elapsed().as_secs_f64()
    }
}
