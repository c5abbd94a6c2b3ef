//! The learning rate of a detector: a linear warm-up, then steps down.

/// A rate with a warm-up and steps, as detectron2's `WarmupMultiStepLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSchedule {
    /// The rate between the warm-up and the first step down.
    pub rate: f64,
    /// Training steps at which the rate falls to a tenth, ascending.
    pub milestones: Vec<u64>,
    /// Training steps of the warm-up.
    pub warmup: u64,
    /// Part of the rate with which the warm-up begins.
    pub warmup_factor: f64,
}

impl StepSchedule {
    /// The rate of a training step, from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            let done = step as f64 / self.warmup as f64;
            return self.rate * (self.warmup_factor * (1.0 - done) + done);
        }
        let passed = self.milestones.iter().filter(|&&milestone| step >= milestone).count();
        self.rate * 0.1f64.powi(passed as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of detectron2's schedule.
    #[test]
    fn rates_are_detectron2s() {
        let voc = StepSchedule {
            rate: 0.1,
            milestones: vec![18_000, 22_000],
            warmup: 1000,
            warmup_factor: 0.333,
        };
        for (step, expected) in [
            (0, 0.0333),
            (1, 0.0333667),
            (500, 0.06665),
            (999, 0.0999333),
            (1000, 0.1),
            (17_999, 0.1),
            (18_000, 0.01),
            (21_999, 0.01),
            (22_000, 0.001),
            (23_999, 0.001),
        ] {
            assert!((voc.at(step) - expected).abs() < 1e-12, "step {step}: {}", voc.at(step));
        }
        let coco = StepSchedule {
            rate: 0.03,
            milestones: vec![60_000, 80_000],
            warmup: 1000,
            warmup_factor: 0.001,
        };
        for (step, expected) in [
            (0, 3e-5),
            (500, 0.015015),
            (1000, 0.03),
            (59_999, 0.03),
            (60_000, 0.003),
            (80_000, 0.0003),
        ] {
            assert!(
                (coco.at(step) - expected).abs() < 1e-12,
                "step {step}: {}",
                coco.at(step)
            );
        }
    }
}
