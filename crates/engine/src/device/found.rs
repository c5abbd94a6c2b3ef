//! The devices that the probes find.

use super::{ComputeDevice, Details};
use std::sync::Arc;

/// A device of one backend, found by its probe.
#[derive(Clone, Debug)]
pub struct Found {
    /// The device. Nothing is allocated on it before its first use.
    pub device: Arc<dyn ComputeDevice>,
    /// The device's own name.
    pub name: String,
    /// Whether it is emulated on the processor.
    pub software: bool,
    /// Its capabilities.
    pub details: Details,
}

/// Devices of one backend, or the one-line message that names what is missing.
pub type Probe = Result<Vec<Found>, String>;
