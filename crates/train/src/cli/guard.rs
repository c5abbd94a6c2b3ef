//! The panic handler, which turns a panic into a one-line error: libraries that drive a device panic if the device fails, for
//! example when it runs out of memory.

use barlow_engine::error::RunError;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Mutex;

/// The panic that ended the work, recorded by the panic hook.
static SEEN: Mutex<Option<String>> = Mutex::new(None);

/// Runs `work`; a panic in it becomes a [`RunError`]. With `RUST_BACKTRACE` set, Rust's own hook prints it.
pub(super) fn run(work: impl FnOnce() -> Result<(), RunError>) -> Result<(), RunError> {
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(note));
    }
    // The state that the work leaves half done is not used again: the program ends.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let seen = SEEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let what = seen.unwrap_or_else(|| "a panic".to_owned());
        Err(RunError::Failed(anyhow::anyhow!(
            "internal error: {what}; the run is saved up to its last checkpoint (--resume); if the device ran out \
             of memory, pass a smaller --batch-size; else please report this with RUST_BACKTRACE=1"
        )))
    })
}

fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or(String::new(), |place| format!(" ({place})"));
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let thread = std::thread::current();
    // The CPU backend's work runs on the global pool, whose threads have no name, and its panics propagate to the main thread.
    let is_pool = thread.name().is_none() && rayon::current_thread_index().is_some();
    if thread.name() == Some("main") || is_pool {
        *SEEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(format!("{message}{place}"));
    } else {
        // Printed at once: the thread that waits for this one may get less information.
        let line = format!("warning: thread {}: {message}{place}", thread.name().unwrap_or("?"));
        drop(writeln!(std::io::stderr(), "{line}"));
    }
}
