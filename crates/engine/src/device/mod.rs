//! A device behind a trait object: what the program does on it, compiled once for each backend.
//!
//! Everything else in this crate is generic over the backend. Code that holds an `Arc<dyn ComputeDevice>` compiles none of it:
//! each `backend-*` crate holds the instantiation for its backend. These are compiled in parallel, each at its own optimisation
//! level, and not again for every program and test.

mod backend_device;
mod compute_device;
mod details;
mod found;
mod prepared;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod tuning_cache;

pub use backend_device::BackendDevice;
pub use compute_device::{ComputeDevice, RunRequest};
pub use details::Details;
pub use found::{Found, Probe};
pub use prepared::PreparedTraining;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub use tuning_cache::save_tuning_in_cache_folder;
