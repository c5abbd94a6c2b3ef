//! Errors of device selection.

use thiserror::Error;

/// A backend that cannot be used; each error is one line with what was probed and what to do.
#[derive(Clone, Debug, Error)]
pub enum BackendError {
    /// Not compiled into this program.
    #[error("--backend {0}: this program was built without it; build it with --features {0}")]
    NotBuilt(&'static str),
    /// A requirement of the backend is missing.
    #[error("--backend {backend}: {missing}")]
    Missing {
        /// The backend.
        backend: &'static str,
        /// What was probed, and what to do.
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
