//! Ctrl-C and SIGTERM: the first asks the run to stop at the next step, the second ends the program at once.

use crate::error::EXIT_INTERRUPTED;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody asked the run to stop.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that signals set. To be called once in a process.
    ///
    /// Signals that were ignored when the program was started stay ignored: `nohup` means it.
    ///
    /// # Errors
    /// When the system refuses the handler.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        let flag = Self::default();
        let shared = flag.clone();
        #[cfg(unix)]
        let ignored = ignored_signals();
        ctrlc::set_handler(move || {
            if shared.0.swap(true, Ordering::SeqCst) {
                end_at_once();
            }
            let line = "stopping as soon as a checkpoint is whole; once more to stop at once without";
            // Whoever read standard error may have ended by the same signal.
            drop(writeln!(std::io::stderr(), "{line}"));
        })?;
        #[cfg(unix)]
        for signal in ignored {
            // SAFETY: a plain system call with constants.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
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

/// Which of the signals that the handler takes over are ignored now.
#[cfg(unix)]
fn ignored_signals() -> Vec<libc::c_int> {
    let is_ignored = |signal: &libc::c_int| {
        // SAFETY: asks for the present action alone and gives it room to be written to; all zeros is a valid value.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(*signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
        }
    };
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP]
        .into_iter()
        .filter(is_ignored)
        .collect()
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
