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
                end_at_once();
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

/// Ends the process without the libraries' own tidying up, which may wait for a device that is busy.
fn end_at_once() -> ! {
    let code = i32::from(EXIT_INTERRUPTED);
    #[cfg(unix)]
    // SAFETY: takes no pointers and does not return.
    unsafe {
        libc::_exit(code)
    }
    #[cfg(not(unix))]
    std::process::exit(code)
}
