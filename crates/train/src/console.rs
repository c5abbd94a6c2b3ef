//! What the user sees while a run is in progress: everything on standard error, a bar on a terminal, plain lines elsewhere.

use barlow_engine::console::{Console, Status};
use barlow_engine::units::duration;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;

/// Where messages and progress go.
#[derive(Debug)]
pub struct Terminal {
    quiet: bool,
    terminal: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Terminal {
    /// A console on standard error; `quiet` prints warnings and what was asked for only.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: std::io::stderr().is_terminal(),
            bar: Mutex::new(None),
        }
    }

    /// The last line of a run that failed.
    pub fn error(&self, text: &str) {
        self.print(text);
    }

    fn print(&self, text: &str) {
        let guard = self.bar.try_lock().ok();
        match guard.as_ref().and_then(|guard| guard.as_ref()) {
            Some(bar) => bar.println(text),
            // A closed standard error must not end a run.
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Console for Terminal {
    fn line(&self, text: &str) {
        if !self.quiet {
            self.print(text);
        }
    }

    fn warn(&self, text: &str) {
        self.print(&format!("warning: {text}"));
    }

    fn asked(&self, text: &str) {
        self.print(text);
    }

    /// No bar where nobody watches.
    fn start(&self, done: u64, total: u64) {
        if self.quiet || !self.terminal {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        // At 80 columns some 25 are left for the bar itself.
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {msg}").expect("the template is a literal");
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(format!("step {done}/{total}"));
        bar.set_position(done);
        bar.reset_eta();
        *self.lock() = Some(bar);
    }

    fn step(&self, done: u64) {
        if let Some(bar) = self.lock().as_ref() {
            bar.set_position(done);
        }
    }

    /// On the bar, or as a separate line where there is no bar.
    fn status(&self, status: &Status) {
        match self.lock().as_ref() {
            Some(bar) => {
                bar.set_prefix(format!("epoch {}/{}", status.epoch.0, status.epoch.1));
                bar.set_message(beside_bar(status));
            }
            None => self.line(&status.to_string()),
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }
}

/// What stands to the right of the bar.
fn beside_bar(status: &Status) -> String {
    let knn = status.knn.map_or(String::new(), |knn| format!(", kNN {knn:.3}"));
    format!("loss {:.2}{knn}, {} left", status.loss, duration(status.seconds_left))
}

/// Prints a result on standard output; a closed pipe is not an error.
pub fn print_result(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
