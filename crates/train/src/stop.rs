//! Ctrl-C, SIGTERM and SIGUSR1, which job schedulers send before the end of a job's time: the first asks the run to stop at the next step, the second ends the program at once.

use crate::exit::EXIT_INTERRUPTED;
use barlow_engine::stop::StopFlag;
use std::io::Write;

/// Installs the signal handlers and returns the flag that they set. Call it once per process.
///
/// A SIGHUP that was ignored when the program was started stays ignored, as `nohup` intends. SIGINT is handled even if it was
/// ignored: shells ignore it for background processes, but a SIGINT sent to this process is intended.
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
        let line = "stopping as soon as a checkpoint is written; a second signal stops at once without one";
        // The reader of standard error may have ended by the same signal.
        drop(writeln!(std::io::stderr(), "{line}"));
    })?;
    #[cfg(unix)]
    {
        drop(USR1.set(flag.clone()));
        let handler: extern "C" fn(libc::c_int) = on_usr1;
        // SAFETY: a plain system call; the handler only stores a flag.
        unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    }
    #[cfg(unix)]
    if ignored {
        // SAFETY: a plain system call with constants.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    }
    Ok(flag)
}

/// Asks the run to stop when standard input ends: its reader is then a study that stops, or that was killed.
pub fn stop_at_end_of_input(stop: StopFlag) {
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        stop.set();
    });
}

/// The flag that SIGUSR1 sets. A second one changes nothing: some schedulers send it to every process of a job and to its launcher,
/// which passes it on.
#[cfg(unix)]
static USR1: std::sync::OnceLock<StopFlag> = std::sync::OnceLock::new();

#[cfg(unix)]
extern "C" fn on_usr1(_: libc::c_int) {
    if let Some(flag) = USR1.get() {
        flag.set();
    }
}

/// Whether a signal is ignored now.
#[cfg(unix)]
fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: only queries the current action, into a valid struct; all zeros is a valid value.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Ends the process without the libraries' cleanup, which may wait for a busy device.
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
