//! What a person sees while a run goes on: everything on standard error, a bar on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;

/// Where messages and progress go.
#[derive(Debug)]
pub struct Console {
    quiet: bool,
    terminal: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Console {
    /// A console on standard error; `quiet` says nothing but warnings.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: std::io::stderr().is_terminal(),
            bar: Mutex::new(None),
        }
    }

    /// A line for the person, unless quiet.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.print(text);
        }
    }

    /// A line that is shown even when quiet.
    pub fn warn(&self, text: &str) {
        self.print(&format!("warning: {text}"));
    }

    /// A line that was asked for: shown even when quiet.
    pub fn asked(&self, text: &str) {
        self.print(text);
    }

    /// The last line of a run that failed.
    pub fn error(&self, text: &str) {
        self.print(text);
    }

    /// Starts the bar of a run of `total` steps of which `done` are done. No bar where nobody watches.
    pub fn start(&self, done: u64, total: u64) {
        if self.quiet || !self.terminal {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} steps, {msg}, {elapsed} < {eta}")
            .expect("the template is a literal");
        bar.set_style(style);
        bar.set_position(done);
        bar.reset_eta();
        *self.lock() = Some(bar);
    }

    /// Moves the bar.
    pub fn step(&self, done: u64) {
        if let Some(bar) = self.lock().as_ref() {
            bar.set_position(done);
        }
    }

    /// The state of the run in a few words: on the bar, or as a line of its own where there is no bar.
    pub fn status(&self, place: &str, text: &str) {
        match self.lock().as_ref() {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.line(&format!("{place}  {text}")),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
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

/// `5400` seconds as `1.5 h`.
pub fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s")];
    let (size, unit) = UNITS
        .into_iter()
        .find(|(size, _)| seconds >= 2.0 * size)
        .unwrap_or(UNITS[3]);
    let digits = usize::from(size >= 3600.0 && seconds < 10.0 * size);
    format!("{:.digits$} {unit}", seconds / size)
}

/// Prints a result on standard output; a closed pipe is not an error.
pub fn print_result(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_are_told_in_the_unit_that_a_person_would_take() {
        let texts = [0.4, 59.6, 119.0, 130.0, 7000.0, 7300.0, 80_000.0, 200_000.0].map(duration);
        assert_eq!(
            texts,
            ["0 s", "60 s", "119 s", "2 min", "117 min", "2.0 h", "22 h", "2.3 days"]
        );
    }
}
