//! A backend that cannot be taken.

use thiserror::Error;

/// A backend that cannot be taken; each is one line that says what was looked for and what to do.
#[derive(Clone, Debug, Error)]
pub enum BackendError {
    /// Left out when the program was built.
    #[error("--backend {0}: this program was built without it; build it with --features {0}")]
    NotBuilt(&'static str),
    /// Something that the backend needs is not there.
    #[error("--backend {backend}: {missing}")]
    Missing {
        /// The backend.
        backend: &'static str,
        /// What was looked for, and what to do.
        missing: String,
    },
    /// `--device` names none of the devices.
    #[error("--device {asked}: {backend} has {count} device(s) here, numbered from 0: {names}")]
    OutOfRange {
        /// The backend.
        backend: &'static str,
        /// The number given.
        asked: usize,
        /// Devices found.
        count: usize,
        /// Their names.
        names: String,
    },
}
