//! Where a run reports to the user: messages, warnings and progress. The program puts a progress bar behind it.

use std::io::Write;

/// Takes the messages of a run; every method may be called from any thread.
pub trait Console: Send + Sync {
    /// Prints a message; quiet consoles drop it.
    fn line(&self, text: &str);

    /// Prints a warning, also when quiet.
    fn warn(&self, text: &str);

    /// Prints what the user asked for explicitly, also when quiet.
    fn asked(&self, text: &str);

    /// A run of `total` steps starts, of which `done` are done already.
    fn start(&self, _done: u64, _total: u64) {}

    /// `done` steps are done.
    fn step(&self, _done: u64) {}

    /// The state of the run: where it is, and the numbers of the last logged interval.
    fn status(&self, place: &str, text: &str) {
        self.line(&format!("{place}  {text}"));
    }

    /// The run has ended.
    fn finish(&self) {}
}

/// Plain lines on standard error.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainConsole {
    /// Print warnings and what was asked for only.
    pub quiet: bool,
}

impl Console for PlainConsole {
    fn line(&self, text: &str) {
        if !self.quiet {
            self.asked(text);
        }
    }

    fn warn(&self, text: &str) {
        self.asked(&format!("warning: {text}"));
    }

    fn asked(&self, text: &str) {
        // A closed standard error must not end a run.
        drop(writeln!(std::io::stderr(), "{text}"));
    }
}
