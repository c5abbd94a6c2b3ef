//! A panic as one line: libraries that drive a device panic where the device gives up, for instance out of memory.

use barlow_engine::error::RunError;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Mutex;

/// The panic that ends the work, as its hook saw it.
static SEEN: Mutex<Option<String>> = Mutex::new(None);

/// Runs `work`; a panic in it is an error of the program's own kind. `RUST_BACKTRACE` shows it as Rust does.
pub(super) fn run(work: impl FnOnce() -> Result<(), RunError>) -> Result<(), RunError> {
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(note));
    }
    // What the work leaves half done is not looked at again: the program ends.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let seen = SEEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let what = seen.unwrap_or_else(|| "a panic".to_owned());
        Err(RunError::Failed(anyhow::anyhow!(
            "internal error: {what}; what was computed up to the last checkpoint is kept (--resume); if the device ran out \
             of memory, pass a smaller --batch-size; else please report this with RUST_BACKTRACE=1"
        )))
    })
}

fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or(String::new(), |place| format!(" ({place})"));
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let thread = std::thread::current();
    // The CPU backend's work runs on the global pool, whose threads have no name, and its panics go on in the main thread.
    let is_pool = thread.name().is_none() && rayon::current_thread_index().is_some();
    if thread.name() == Some("main") || is_pool {
        *SEEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(format!("{message}{place}"));
    } else {
        // Told at once: whoever waits for this thread may learn less than this.
        let line = format!("warning: thread {}: {message}{place}", thread.name().unwrap_or("?"));
        drop(writeln!(std::io::stderr(), "{line}"));
    }
}
