//! The time profile of a run by phase, which `--profile` prints.
//!
//! A device that computes asynchronously would charge each phase with the work of the one before, so a phase ends when the
//! device has finished. This waiting costs speed, so it happens only if a profile is requested; the numbers computed are the
//! same.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A part of the training loop. Phases do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the threads that compute views; with `--workers 0`, computing them. A method's derived views.
    DataWait,
    /// Views from the host to the device.
    ToDevice,
    /// All views through backbone and projector; a teacher's too.
    Forward,
    /// Embeddings to the scalar.
    Loss,
    /// From the scalar to every parameter's gradient.
    Backward,
    /// Gradients to new parameters.
    Optimizer,
    /// Evaluations, checkpoints, lines of metrics.
    Monitors,
}

impl Phase {
    /// Every phase, in the order of a step.
    pub const ALL: [Self; 7] = [
        Self::DataWait,
        Self::ToDevice,
        Self::Forward,
        Self::Loss,
        Self::Backward,
        Self::Optimizer,
        Self::Monitors,
    ];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataWait => "data wait",
            Self::ToDevice => "host to device",
            Self::Forward => "forward (all views)",
            Self::Loss => "loss",
            Self::Backward => "backward",
            Self::Optimizer => "optimiser",
            Self::Monitors => "monitors",
        }
    }
}

/// Time by phase, or nothing if no profile was requested.
pub struct Profile(Option<Measured>);

struct Measured {
    /// Waits until the device has finished its work.
    sync: Box<dyn Fn()>,
    spent: [Cell<Duration>; Phase::ALL.len()],
}

impl Profile {
    /// A profile of work on a device that `sync` waits for.
    pub fn new(sync: impl Fn() + 'static) -> Self {
        Self(Some(Measured {
            sync: Box::new(sync),
            spent: Default::default(),
        }))
    }

    /// A profile that measures nothing and waits for nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Runs `work`, and adds the time until the device has finished it to `phase`.
    pub fn time<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let Some(measured) = &self.0 else { return work() };
        let start = Instant::now();
        let result = work();
        (measured.sync)();
        measured.add(phase, start.elapsed());
        result
    }

    /// The table of a session of `steps` steps: total seconds, milliseconds per step, percent of the sum. Empty if nothing was
    /// measured.
    pub fn table(&self, steps: u64) -> Vec<String> {
        let Some(measured) = &self.0 else { return Vec::new() };
        let total: Duration = measured.spent.iter().map(Cell::get).sum();
        let row = |name: &str, spent: Duration| {
            let seconds = spent.as_secs_f64();
            format!(
                "  {name:20} {seconds:10.3} {:10.2} {:8.1}",
                1e3 * seconds / steps.max(1) as f64,
                100.0 * seconds / total.as_secs_f64().max(1e-9),
            )
        };
        let mut lines = vec![
            format!("profile of {steps} steps"),
            format!("  {:20} {:>10} {:>10} {:>8}", "phase", "seconds", "ms/step", "percent"),
        ];
        lines.extend(Phase::ALL.map(|phase| row(phase.name(), measured.spent[phase as usize].get())));
        lines.push(row("sum", total));
        lines
    }
}

impl Measured {
    fn add(&self, phase: Phase, spent: Duration) {
        let cell = &self.spent[phase as usize];
        cell.set(cell.get() + spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn the_table_is_of_the_time_added() {
        let profile = Profile::new(|| {});
        let measured = profile.0.as_ref().unwrap();
        measured.add(Phase::Forward, Duration::from_secs(2));
        measured.add(Phase::Backward, Duration::from_millis(5500));
        measured.add(Phase::Forward, Duration::from_millis(500));
        let table = profile.table(100);
        assert_eq!(table[0], "profile of 100 steps");
        assert_eq!(table.len(), 2 + Phase::ALL.len() + 1);
        let row = |name: &str| {
            let line = table.iter().find_map(|line| line.trim().strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(row("forward (all views)"), ["2.500", "25.00", "31.2"]);
        assert_eq!(row("backward"), ["5.500", "55.00", "68.8"]);
        assert_eq!(row("loss"), ["0.000", "0.00", "0.0"]);
        assert_eq!(row("sum"), ["8.000", "80.00", "100.0"]);
    }

    #[test]
    fn a_phase_ends_when_the_device_has() {
        let synced = Rc::new(Cell::new(0));
        let counter = Rc::clone(&synced);
        let profile = Profile::new(move || counter.set(counter.get() + 1));
        let before = profile.time(Phase::Loss, || synced.get());
        assert_eq!((before, synced.get()), (0, 1), "the wait comes after the work");
        assert!(profile.0.unwrap().spent[Phase::Loss as usize].get() > Duration::ZERO);
    }

    #[test]
    fn without_being_asked_for_nothing_is_measured_or_printed() {
        let profile = Profile::off();
        assert_eq!(profile.time(Phase::Loss, || 3), 3);
        assert!(profile.table(5).is_empty());
    }

    #[test]
    fn every_phase_has_its_place() {
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, index);
        }
    }
}
