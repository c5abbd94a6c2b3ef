//! `--version`: release, commit, backends and the CPU's instruction set.

use barlow_train::device::backends;

/// What `-V` prints.
pub(super) const SHORT: &str = env!("CARGO_PKG_VERSION");

/// The commit that the program was built from.
pub(super) const COMMIT: &str = env!("TRAIN_COMMIT");

/// What `--version` prints.
pub(super) fn long() -> String {
    #[cfg(feature = "cpu")]
    let cpu = format!("\ncpu: {}", barlow_backend_cpu::instructions());
    #[cfg(not(feature = "cpu"))]
    let cpu = "";
    format!("{SHORT}\ncommit: {}\nbackends: {}{cpu}", COMMIT, backends().join(", "))
}
