//! Where a run reports to the user: messages, warnings and progress. The program puts a progress bar behind it.

use crate::units::duration;
use std::fmt;
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

    /// The state of the run at the end of a logged interval.
    fn status(&self, status: &Status) {
        self.line(&status.to_string());
    }

    /// The run has ended.
    fn finish(&self) {}
}

/// The state of a run at the end of a logged interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The current epoch, from 1, and how many there are.
    pub epoch: (u64, u64),
    /// Steps made, and how many there are.
    pub step: (u64, u64),
    /// Mean loss of the interval.
    pub loss: f64,
    /// Least value of the loss, where it is known.
    pub floor: Option<f64>,
    /// The best kNN accuracy so far.
    pub knn: Option<f64>,
    /// Training images/s.
    pub images_per_second: f64,
    /// Seconds until the last step at this speed.
    pub seconds_left: f64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((epoch, epochs), (step, steps)) = (self.epoch, self.step);
        let left = duration(self.seconds_left);
        write!(
            f,
            "epoch {epoch}/{epochs} step {step}/{steps}, {left} left  loss {:.2}",
            self.loss
        )?;
        if let Some(floor) = self.floor {
            write!(f, " (floor {floor:.2})")?;
        }
        if let Some(knn) = self.knn {
            write!(f, ", best kNN {knn:.3}")?;
        }
        write!(f, ", {:.0} images/s", self.images_per_second)
    }
}

/// Prints nothing: that of a rank whose messages another one prints.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentConsole;

impl Console for SilentConsole {
    fn line(&self, _: &str) {}

    fn warn(&self, _: &str) {}

    fn asked(&self, _: &str) {}

    fn status(&self, _: &Status) {}
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
