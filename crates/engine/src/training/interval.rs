//! The time between two lines of metrics: the speed, and the fraction spent waiting for views.

use std::time::{Duration, Instant};

/// Steps since the last line of metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interval {
    steps: u64,
    spent: Duration,
    waited: Duration,
}

impl Interval {
    /// Adds a step that began at `start`, of which `waited` was spent waiting for its batch.
    pub fn add(&mut self, start: Instant, waited: Duration) -> Duration {
        let spent = start.elapsed();
        self.steps += 1;
        self.spent += spent;
        self.waited += waited;
        spent
    }

    /// Adds time that belongs to the last step: the device's, where reading its values waited for it.
    pub fn extend(&mut self, spent: Duration) {
        self.spent += spent;
    }

    /// Whether no step was added.
    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// Images/s with `batch` images per step.
    pub fn images_per_second(&self, batch: usize) -> f64 {
        (self.steps as usize * batch) as f64 / self.spent.as_secs_f64().max(1e-9)
    }

    /// Fraction of the time spent waiting for views, in [0, 1].
    pub fn data_wait(&self) -> f64 {
        self.waited.as_secs_f64() / self.spent.as_secs_f64().max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_are_of_the_time_spent() {
        let mut interval = Interval::default();
        assert!(interval.is_empty());
        interval.steps = 4;
        interval.spent = Duration::from_secs(2);
        interval.waited = Duration::from_millis(500);
        assert_eq!(interval.images_per_second(32), 64.0);
        assert_eq!(interval.data_wait(), 0.25);
        interval.extend(Duration::from_secs(2));
        assert_eq!(interval.images_per_second(32), 32.0);
    }
}
