//! The learning-rate schedule: a pure function of the step.
//!
//! As the official `adjust_learning_rate`: linear warm-up from zero, then a cosine to `final_ratio` of the peak; or falls at given
//! epochs. Independent of optimisers; the factor it returns multiplies every peak rate.

use thiserror::Error;

/// How long the warm-up is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Warmup {
    /// In epochs, at most a tenth of the run.
    Epochs(f64),
    /// In steps, as given.
    Steps(u64),
}

/// A warm-up in steps that is longer than the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("schedule.warmup_steps is {steps} and the run has only {total_steps} steps; lower it, or pass more --epochs")]
pub struct WarmupTooLong {
    /// The warm-up.
    pub steps: u64,
    /// The run.
    pub total_steps: u64,
}

/// How the rate falls after the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub enum Decay {
    /// By a cosine to this factor, in [0, 1], at the end of the run.
    Cosine(f64),
    /// By the same cosine epoch by epoch: the rate is constant within an epoch.
    CosineByEpoch(f64),
    /// By a factor, in [0, 1], at each of some epochs.
    Milestones {
        /// The epochs, ascending.
        epochs: Vec<f64>,
        /// The factor.
        factor: f64,
    },
}

/// When to warm up and how to fall, in steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Steps of linear warm-up from zero.
    pub warmup_steps: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// The fall of the rate.
    pub decay: Decay,
}

impl Schedule {
    /// Builds the schedule of a run given in epochs.
    ///
    /// A warm-up in epochs is at most a tenth of the run: with the official fixed 10 epochs a run of ten epochs or fewer would
    /// never leave the warm-up, and its peak rate would never be reached. One in steps is taken as it is.
    ///
    /// # Errors
    /// [`WarmupTooLong`] where a warm-up in steps is longer than the run.
    pub fn new(warmup: Warmup, epochs: u64, steps_per_epoch: u64, decay: Decay) -> Result<Self, WarmupTooLong> {
        let total_steps = epochs * steps_per_epoch;
        let warmup_steps = match warmup {
            Warmup::Steps(steps) if steps > total_steps => return Err(WarmupTooLong { steps, total_steps }),
            Warmup::Steps(steps) => steps,
            Warmup::Epochs(wanted) => (wanted.min(epochs as f64 / 10.0) * steps_per_epoch as f64).round() as u64,
        };
        Ok(Self {
            warmup_steps,
            total_steps,
            steps_per_epoch,
            decay,
        })
    }

    /// The factor in [0, 1] that multiplies the peak rates at `step`, counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return step as f64 / self.warmup_steps as f64;
        }
        let steps_per_epoch = self.steps_per_epoch.max(1);
        let (final_ratio, step) = match &self.decay {
            Decay::Cosine(final_ratio) => (final_ratio, step),
            // The first epoch after a warm-up within it has the peak rate.
            Decay::CosineByEpoch(final_ratio) => (final_ratio, (step - step % steps_per_epoch).max(self.warmup_steps)),
            Decay::Milestones { epochs, factor } => {
                let epoch = step as f64 / steps_per_epoch as f64;
                let passed = epochs.iter().filter(|&&milestone| milestone <= epoch).count();
                return factor.powi(passed as i32);
            }
        };
        let length = (self.total_steps - self.warmup_steps.min(self.total_steps)).max(1) as f64;
        let progress = ((step - self.warmup_steps) as f64 / length).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        cosine + final_ratio * (1.0 - cosine)
    }

    /// The weight decay at `step`, which goes from one value to another by half a cosine over the whole run, the warm-up included
    /// (DINO's official `cosine_scheduler`).
    pub fn weight_decay(&self, [start, end]: [f64; 2], step: u64) -> f64 {
        let progress = step as f64 / self.total_steps.max(1) as f64;
        end + 0.5 * (start - end) * (1.0 + (std::f64::consts::PI * progress).cos())
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
        let schedule = Schedule::new(Warmup::Epochs(10.0), 100, 5, Decay::Cosine(0.001)).unwrap();
        for (step, expected) in [(0, 0.0), (1, 0.02), (49, 0.98), (50, 1.0), (275, 0.5005), (500, 0.001)] {
            assert!(
                (schedule.factor(step) - expected).abs() < 1e-12,
                "step {step}: {}",
                schedule.factor(step)
            );
        }
    }

    /// The peak rate of the weights in the authors' run, 0.2 · 2048 / 256, at every step of it: 1000 epochs of 626 batches.
    /// ```python
    /// def lr(step, epochs=1000, loader=626, batch_size=2048, learning_rate_weights=0.2):   # as in main.py
    ///     max_steps, warmup_steps, base_lr = epochs * loader, 10 * loader, batch_size / 256
    ///     if step < warmup_steps: lr = base_lr * step / warmup_steps
    ///     else:
    ///         step -= warmup_steps; max_steps -= warmup_steps
    ///         q = 0.5 * (1 + math.cos(math.pi * step / max_steps)); lr = base_lr * q + base_lr * 0.001 * (1 - q)
    ///     return lr * learning_rate_weights
    /// print([(s, lr(s)) for s in SAMPLES], sum(lr(s) for s in range(626000)))
    /// ```
    #[test]
    fn equals_the_official_function_at_every_step_of_the_authors_run() {
        const SAMPLES: [(u64, f64); 9] = [
            (0, 0.0),
            (1, 0.00025559105431309905),
            (6259, 1.599744408945687),
            (6260, 1.6),
            (6261, 1.5999999999897316),
            (100000, 1.51145408394724),
            (316130, 0.8008),
            (500000, 0.15915494158399524),
            (625999, 0.0016000000102685216),
        ];
        const SUM: f64 = 501295.7912000097;
        let official = |step: u64| {
            let (epochs, loader, base) = (1000, 626, 2048.0 / 256.0);
            let (mut most, warmup) = (epochs * loader, 10 * loader);
            let rate = if step < warmup {
                base * step as f64 / warmup as f64
            } else {
                most -= warmup;
                let q = 0.5 * (1.0 + (std::f64::consts::PI * (step - warmup) as f64 / most as f64).cos());
                base * q + base * 0.001 * (1.0 - q)
            };
            rate * 0.2
        };
        let schedule = Schedule::new(Warmup::Epochs(10.0), 1000, 626, Decay::Cosine(0.001)).unwrap();
        let mut sum = 0.0;
        for step in 0..schedule.total_steps {
            let (ours, theirs) = (1.6 * schedule.factor(step), official(step));
            assert!((ours - theirs).abs() <= 1e-14, "step {step}: {ours}, not {theirs}");
            sum += theirs;
        }
        assert_eq!(schedule.total_steps, 626_000);
        // `official` itself is checked against the numbers that the code above prints.
        assert!((sum - SUM).abs() <= 1e-9 * SUM, "{sum}");
        for (step, rate) in SAMPLES {
            assert!(
                (official(step) - rate).abs() <= 1e-14,
                "step {step}: {}",
                official(step)
            );
        }
    }

    /// The paper, B.2: 20 epochs, the rate times 0.2 after the 12th and the 16th; evaluate.py: CosineAnnealingLR, stepped after every
    /// epoch.
    #[test]
    fn fine_tuning_has_both_published_schedules() {
        let of = |warmup, decay| Schedule::new(Warmup::Epochs(warmup), 20, 10, decay).unwrap();
        let milestones = |epochs: &[f64]| Decay::Milestones {
            epochs: epochs.to_vec(),
            factor: 0.2,
        };
        let steps = of(0.0, milestones(&[12.0, 16.0]));
        for (step, expected) in [(0, 1.0), (119, 1.0), (120, 0.2), (159, 0.2), (160, 0.04), (199, 0.04)] {
            assert!((steps.factor(step) - expected).abs() < 1e-12, "step {step}");
        }
        let cosine = of(0.0, Decay::CosineByEpoch(0.0));
        for step in 0..200 {
            let epoch = (step / 10) as f64;
            let expected = (1.0 + (std::f64::consts::PI * epoch / 20.0).cos()) / 2.0;
            assert!((cosine.factor(step) - expected).abs() < 1e-12, "step {step}");
        }
        let warm = of(0.5, milestones(&[12.0]));
        assert_eq!(
            [0, 4, 5, 119, 120].map(|step| warm.factor(step)),
            [0.0, 0.8, 1.0, 1.0, 0.2]
        );
    }

    #[test]
    fn a_short_run_reaches_its_peak() {
        let schedule = Schedule::new(Warmup::Epochs(10.0), 5, 10, Decay::Cosine(0.0)).unwrap();
        assert_eq!(schedule.warmup_steps, 5);
        assert_eq!(schedule.factor(5), 1.0);
        let rates: Vec<f64> = (5..=50).map(|step| schedule.factor(step)).collect();
        assert!(rates.windows(2).all(|pair| pair[1] < pair[0]), "the cosine falls");
        assert!(rates.last().unwrap().abs() < 1e-12);
    }

    #[test]
    fn a_run_of_one_step_is_defined() {
        let schedule = Schedule::new(Warmup::Epochs(10.0), 1, 1, Decay::Cosine(0.1)).unwrap();
        assert!(schedule.factor(0).is_finite() && schedule.factor(1).is_finite());
    }

    #[test]
    fn a_warmup_in_steps_is_honoured_or_refused() {
        // More than a tenth of the run.
        let schedule = Schedule::new(Warmup::Steps(30), 5, 10, Decay::Cosine(0.0)).unwrap();
        assert_eq!(schedule.warmup_steps, 30);
        assert_eq!([29, 30].map(|step| schedule.factor(step)), [29.0 / 30.0, 1.0]);
        assert!(Schedule::new(Warmup::Steps(50), 5, 10, Decay::Cosine(0.0)).is_ok());
        let line = Schedule::new(Warmup::Steps(51), 5, 10, Decay::Cosine(0.0))
            .unwrap_err()
            .to_string();
        assert!(line.contains("is 51") && line.contains("only 50 steps"), "{line}");
    }

    #[test]
    fn milestones_replace_the_cosine() {
        // SeLa's official rates: a tenth every 150 epochs, and a thousandth from epoch 350 on.
        let decay = Decay::Milestones {
            epochs: vec![150.0, 300.0, 350.0],
            factor: 0.1,
        };
        let schedule = Schedule::new(Warmup::Epochs(10.0), 401, 4, decay).unwrap();
        for (epoch, expected) in [
            (5, 0.5),
            (10, 1.0),
            (149, 1.0),
            (150, 0.1),
            (300, 0.01),
            (349, 0.01),
            (350, 1e-3),
            (400, 1e-3),
        ] {
            let factor = schedule.factor(4 * epoch);
            assert!((factor - expected).abs() < 1e-12, "epoch {epoch}: {factor}");
        }
    }

    /// ```python
    /// def cosine_scheduler(base, final, steps):   # DINO's utils.py, without warm-up
    ///     return [final + 0.5 * (base - final) * (1 + math.cos(math.pi * i / steps)) for i in range(steps)]
    /// v = cosine_scheduler(0.04, 0.4, 10); print(v[0], v[3], v[9])
    /// ```
    #[test]
    fn the_weight_decay_rises_as_in_the_official_code() {
        let schedule = Schedule::new(Warmup::Epochs(1.0), 5, 2, Decay::Cosine(0.0)).unwrap();
        for (step, expected) in [(0, 0.04), (3, 0.11419865458735484), (9, 0.39119017293312763)] {
            let found = schedule.weight_decay([0.04, 0.4], step);
            assert!((found - expected).abs() < 1e-12, "step {step}: {found}");
        }
        assert_eq!(schedule.weight_decay([0.1, 0.1], 7), 0.1);
    }
}
