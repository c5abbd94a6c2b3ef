//! The learning-rate schedule: a pure function of the step.
//!
//! As the official `adjust_learning_rate`: linear warm-up from zero, then a cosine to `final_ratio` of the peak. Knows
//! nothing of optimisers; the factor it returns multiplies every peak rate.

/// When to warm up and where to end, in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Steps of linear warm-up from zero.
    pub warmup_steps: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// The factor at the end of the cosine, in [0, 1].
    pub final_ratio: f64,
}

impl Schedule {
    /// Builds the schedule of a run given in epochs.
    ///
    /// The warm-up is at most a tenth of the run: with the official fixed 10 epochs a run of ten epochs or fewer would
    /// never leave the warm-up, and its peak rate would never be reached.
    pub fn new(warmup_epochs: f64, epochs: u64, steps_per_epoch: u64, final_ratio: f64) -> Self {
        let warmup_epochs = warmup_epochs.min(epochs as f64 / 10.0);
        Self {
            warmup_steps: (warmup_epochs * steps_per_epoch as f64).round() as u64,
            total_steps: epochs * steps_per_epoch,
            final_ratio,
        }
    }

    /// The factor in [0, 1] that multiplies the peak rates at `step`, counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return step as f64 / self.warmup_steps as f64;
        }
        let length = (self.total_steps - self.warmup_steps.min(self.total_steps)).max(1) as f64;
        let progress = ((step - self.warmup_steps) as f64 / length).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        cosine + self.final_ratio * (1.0 - cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Literals of the official function at B = 256 (so base = 1), 100 epochs of 5 steps:
    /// ```python
    /// def lr(step, epochs=100, loader=5):
    ///     max_steps, warmup = epochs * loader, 10 * loader
    ///     if step < warmup: return step / warmup
    ///     step -= warmup; max_steps -= warmup
    ///     q = 0.5 * (1 + math.cos(math.pi * step / max_steps))
    ///     return q + 0.001 * (1 - q)
    /// ```
    #[test]
    fn equals_the_official_function() {
        let schedule = Schedule::new(10.0, 100, 5, 0.001);
        for (step, expected) in [(0, 0.0), (1, 0.02), (49, 0.98), (50, 1.0), (275, 0.5005), (500, 0.001)] {
            assert!(
                (schedule.factor(step) - expected).abs() < 1e-12,
                "step {step}: {}",
                schedule.factor(step)
            );
        }
    }

    #[test]
    fn a_short_run_reaches_its_peak() {
        let schedule = Schedule::new(10.0, 5, 10, 0.0);
        assert_eq!(schedule.warmup_steps, 5);
        assert_eq!(schedule.factor(5), 1.0);
        let rates: Vec<f64> = (5..=50).map(|step| schedule.factor(step)).collect();
        assert!(rates.windows(2).all(|pair| pair[1] < pair[0]), "the cosine falls");
        assert!(rates.last().unwrap().abs() < 1e-12);
    }

    #[test]
    fn a_run_of_one_step_is_defined() {
        let schedule = Schedule::new(10.0, 1, 1, 0.1);
        assert!(schedule.factor(0).is_finite() && schedule.factor(1).is_finite());
    }
}
