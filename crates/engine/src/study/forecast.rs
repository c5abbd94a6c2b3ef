//! What a dry run of a study prints: the time that its runs will take, and what that is known from.

use crate::units::duration;

/// A cell before it is run.
#[derive(Clone, Debug)]
pub(super) struct CellForecast {
    pub label: String,
    pub folder: String,
    /// Steps of a run.
    pub steps: u64,
    pub batch_size: usize,
    pub micro_batch: Option<usize>,
    /// Seconds of its finished runs.
    pub finished: Vec<f64>,
    /// Runs that are not finished.
    pub open: usize,
    /// Measured on a few steps.
    pub seconds_per_step: Option<f64>,
}

impl CellForecast {
    /// Seconds of a run.
    fn seconds(&self) -> Option<f64> {
        if self.finished.is_empty() {
            return self.seconds_per_step.map(|seconds| seconds * self.steps as f64);
        }
        Some(self.finished.iter().sum::<f64>() / self.finished.len() as f64)
    }

    fn line(&self) -> String {
        let Self {
            label,
            folder,
            steps,
            batch_size,
            ..
        } = self;
        let micro = self.micro_batch.filter(|micro| micro < batch_size);
        let micro = micro.map_or(String::new(), |micro| format!(" in micro-batches of {micro}"));
        let time = match (self.seconds(), self.finished.len()) {
            (None, _) => "its time is not known: no step was timed".to_owned(),
            (Some(seconds), 0) => format!("some {}, by the time of a few steps", duration(seconds)),
            (Some(seconds), runs) => format!("some {}, as {runs} finished", duration(seconds)),
        };
        let open = match self.open {
            0 => "finished".to_owned(),
            open => format!("{open} to run"),
        };
        format!("{folder} ({label}): {steps} steps of {batch_size}{micro}, {time}; {open}")
    }
}

/// A line per cell and the sum.
pub(super) fn lines(cells: &[CellForecast]) -> Vec<String> {
    let mut out: Vec<String> = cells.iter().map(CellForecast::line).collect();
    let open = cells.iter().filter(|cell| cell.open > 0);
    let unknown = open.clone().filter(|cell| cell.seconds().is_none()).count();
    let total: f64 = open.filter_map(|cell| Some(cell.seconds()? * cell.open as f64)).sum();
    let but = match unknown {
        0 => String::new(),
        cells => format!(" without the {cells} cells whose time is not known"),
    };
    out.push(format!(
        "expected: some {}{but}, one run after the other; evaluations are included where a run of the cell is finished; --jobs helps as \
         far as one run leaves cores idle",
        duration(total)
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_finished_runs_else_of_steps() {
        let cell = |finished: &[f64], seconds_per_step| CellForecast {
            label: "A".to_owned(),
            folder: "a".to_owned(),
            steps: 100,
            batch_size: 64,
            micro_batch: Some(32),
            finished: finished.to_vec(),
            open: 3 - finished.len(),
            seconds_per_step,
        };
        let all = lines(&[
            cell(&[50.0, 70.0], None),
            cell(&[], Some(0.5)),
            cell(&[], None),
            cell(&[1.0; 3], None),
        ]);
        assert_eq!(
            all[0],
            "a (A): 100 steps of 64 in micro-batches of 32, some 60 s, as 2 finished; 1 to run"
        );
        assert!(
            all[1].contains("some 50 s, by the time of a few steps; 3 to run"),
            "{}",
            all[1]
        );
        assert!(all[2].contains("not known") && all[3].ends_with("finished"), "{all:?}");
        assert!(
            all[4].starts_with("expected: some 4 min without the 1 cells"),
            "{}",
            all[4]
        );
    }
}
