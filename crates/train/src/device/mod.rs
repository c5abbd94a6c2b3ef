//! Device selection: what was requested, what is available, and why a device was chosen.
//!
//! Everything is probed before a tensor exists, because CubeCL panics where a driver or a toolkit is missing. The probes are
//! those of the `backend-*` crates; nothing here depends on models or data.

mod error;
mod select;
mod selected;

pub use error::BackendError;
pub use select::{backends, probe_all, select};
pub use selected::{BackendChoice, Selected};
