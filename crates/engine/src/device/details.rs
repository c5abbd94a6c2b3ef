//! The capabilities of a device, as far as its driver reports them before anything is computed.

use crate::units::bytes;
use serde::Serialize;
use std::fmt;

/// The capabilities of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Details {
    /// The driver and its version; on the CPU the instruction set in use.
    pub driver: Option<String>,
    /// Memory in bytes; a shared one for the CPU.
    pub memory_bytes: Option<u64>,
    /// The largest tensor in bytes; `None` if the device has no such limit.
    pub largest_buffer_bytes: Option<u64>,
    /// 16-bit floats.
    pub f16: bool,
    /// 16-bit floats with the range of 32-bit ones.
    pub bf16: bool,
    /// Operations among the threads that run in lockstep (a warp, a subgroup).
    pub plane_operations: bool,
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.driver.clone());
        parts.extend(self.memory_bytes.map(|memory| format!("{} of memory", bytes(memory))));
        parts.extend(
            self.largest_buffer_bytes
                .map(|largest| format!("tensors of at most {}", bytes(largest))),
        );
        let able = [
            (self.f16, "f16"),
            (self.bf16, "bf16"),
            (self.plane_operations, "plane operations"),
        ];
        parts.extend(
            able.into_iter()
                .filter(|(able, _)| *able)
                .map(|(_, name)| name.to_owned()),
        );
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told() {
        let details = Details {
            driver: Some("llvmpipe 25".into()),
            largest_buffer_bytes: Some(128 << 20),
            plane_operations: true,
            ..Details::default()
        };
        assert_eq!(
            details.to_string(),
            "llvmpipe 25, tensors of at most 128 MiB, plane operations"
        );
        assert_eq!(Details::default().to_string(), "");
    }
}
