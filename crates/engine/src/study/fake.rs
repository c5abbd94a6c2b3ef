//! A way to start runs without training, for tests: it writes the files of a finished run.

use super::cell_run::{CellRun, Ending, Launch};
use crate::stop::StopFlag;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Finishes runs at once, but for one that fails and one at which it asks the study to stop.
pub(super) struct Fake {
    /// Labels of the runs that were started, with their threads.
    pub calls: Mutex<Vec<(String, usize)>>,
    fails: &'static str,
    stop_at: usize,
    side_by_side: AtomicUsize,
    /// The most runs side by side.
    pub most: AtomicUsize,
}

impl Fake {
    /// Fails the run with the label `fails`, and stops at the run with the number `stop_at`, from 1.
    pub fn new(fails: &'static str, stop_at: usize) -> Self {
        Self {
            calls: Mutex::default(),
            fails,
            stop_at,
            side_by_side: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }
}

impl Launch for Fake {
    fn run(&self, run: &CellRun, threads: usize, stop: &StopFlag) -> Ending {
        let now = self.side_by_side.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let call = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((run.label(), threads));
            calls.len()
        };
        let ending = if run.label() == self.fails {
            Ending::Failed("no memory, \"really\"".to_owned())
        } else if call == self.stop_at {
            stop.set();
            Ending::Interrupted
        } else {
            // Seeds differ by a tenth, cells by a hundredth.
            finish(
                &run.root,
                run.seed,
                0.5 + 0.1 * run.seed as f64 + 0.01 * run.cell as f64,
            );
            Ending::Done
        };
        self.side_by_side.fetch_sub(1, Ordering::SeqCst);
        ending
    }
}

/// Writes the files of a finished run.
fn finish(root: &Path, seed: u64, linear: f64) {
    std::fs::create_dir_all(root).unwrap();
    for name in ["config.toml", "report.html", "backbone.safetensors"] {
        std::fs::write(root.join(name), "").unwrap();
    }
    let summary = serde_json::json!({
        "knn_top1": linear - 0.2, "linear_top1": linear, "linear_top5": null, "untrained_knn_top1": 0.1,
        "untrained_linear_top1": 0.2, "loss": 3.0, "loss_floor": 1.0, "readings": { "loss": 3.0, "invariance": 2.0 },
        "steps": 1, "epochs": 1, "images_per_second": 10.0, "wall_seconds": 60.0, "backend": "cpu", "device": "x", "seed": seed,
        "version": "0",
    });
    std::fs::write(root.join("summary.json"), summary.to_string()).unwrap();
}
