//! Ctrl-C and SIGTERM: the first asks the run to stop at the next step, the second ends the program at once.

use crate::exit::EXIT_INTERRUPTED;
use barlow_engine::stop::StopFlag;
use std::io::Write;

/// A flag that signals set. To be called once in a process.
///
/// A hangup that was ignored when the program was started stays ignored: `nohup` means it. An interrupt is heard all the same,
/// though shells ignore it for what they start in the background: whoever sends one to this process means it.
///
/// # Errors
/// When the system refuses the handler.
pub fn on_signals() -> Result<StopFlag, ctrlc::Error> {
    let flag = StopFlag::default();
    let shared = flag.clone();
    #[cfg(unix)]
    let ignored = is_ignored(libc::SIGHUP);
    ctrlc::set_handler(move || {
        if shared.set() {
            end_at_once();
        }
        let line = "stopping as soon as a checkpoint is whole; once more to stop at once without";
        // Whoever read standard error may have ended by the same signal.
        drop(writeln!(std::io::stderr(), "{line}"));
    })?;
    #[cfg(unix)]
    if ignored {
        // SAFETY: a plain system call with constants.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    }
    Ok(flag)
}

/// Whether a signal is ignored now.
#[cfg(unix)]
fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: asks for the present action alone and gives it room to be written to; all zeros is a valid value.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
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
