//! Ctrl-C and SIGTERM: the first asks the run to stop at the next step, the second ends the program at once.

use crate::error::EXIT_INTERRUPTED;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody asked the run to stop.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that signals set. To be called once in a process.
    ///
    /// # Errors
    /// When the system refuses the handler.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        let flag = Self::default();
        let shared = flag.clone();
        ctrlc::set_handler(move || {
            if shared.0.swap(true, Ordering::SeqCst) {
                std::process::exit(EXIT_INTERRUPTED.into());
            }
            eprintln!("stopping after this step, with a checkpoint; once more to stop at once without");
        })?;
        Ok(flag)
    }

    /// Asks the run to stop at the next step.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
