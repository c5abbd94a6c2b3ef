//! The shortest time of a step on a GPU: every kernel as fast as memory, arithmetic, the number of its blocks and a launch allow,
//! one after the other.
//!
//! This is a bound, not a prediction: no kernel reaches it, and the host may be slower than the GPU.

use super::gpus::{Gpu, SHORTEST_KERNEL};
use super::launches::Launch;

/// What a kernel cannot be faster than.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Reading and writing its buffers once.
    Memory,
    /// Its multiplications.
    Arithmetic,
    /// Memory or arithmetic of the few multiprocessors that its blocks occupy.
    Parallelism,
    /// The shortest time of any kernel.
    Launch,
}

impl Bound {
    /// The name in tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Arithmetic => "arithmetic",
            Self::Parallelism => "parallelism",
            Self::Launch => "launch",
        }
    }
}

impl Gpu {
    /// The shortest time of a launch in seconds, and what sets it.
    pub fn shortest(&self, launch: &Launch) -> (f64, Bound) {
        let rate = match self.tf32_rate {
            Some(rate) if launch.on_matrix_units => rate,
            _ => self.f32_rate,
        };
        let (memory, arithmetic) = (launch.bytes() as f64 / self.bandwidth, launch.operations as f64 / rate);
        let (time, bound) = if memory >= arithmetic {
            (memory, Bound::Memory)
        } else {
            (arithmetic, Bound::Arithmetic)
        };
        // A block runs on one multiprocessor, which has its share of both rates.
        let occupied = launch.blocks.clamp(1, self.processors) as f64 / self.processors as f64;
        let alone = time / occupied;
        if alone <= SHORTEST_KERNEL {
            (SHORTEST_KERNEL, Bound::Launch)
        } else if occupied < 1.0 {
            (alone, Bound::Parallelism)
        } else {
            (time, bound)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    const GPU: Gpu = Gpu {
        name: "test",
        bandwidth: 1e12,
        f32_rate: 1e13,
        tf32_rate: Some(1e14),
        processors: 100,
        source: "",
    };

    fn launch(bytes: u64, operations: u64, blocks: u64, on_matrix_units: bool) -> Launch {
        Launch {
            kind: Kind::Other,
            name: String::new(),
            blocks,
            read: bytes,
            written: 0,
            operations,
            on_matrix_units,
            read_across: 0,
            shapes: String::new(),
        }
    }

    #[test]
    fn the_slowest_resource_sets_the_time() {
        for (launch, time, bound) in [
            (launch(1_000_000_000, 0, 1000, false), 1e-3, Bound::Memory),
            (
                launch(1_000_000_000, 100_000_000_000, 1000, false),
                1e-2,
                Bound::Arithmetic,
            ),
            (launch(1_000_000_000, 100_000_000_000, 1000, true), 1e-3, Bound::Memory),
            (launch(1_000_000_000, 0, 10, false), 1e-2, Bound::Parallelism),
            (launch(1_000, 0, 1, false), SHORTEST_KERNEL, Bound::Launch),
        ] {
            let (found, by) = GPU.shortest(&launch);
            assert!(
                (found / time - 1.0).abs() < 1e-9 && by == bound,
                "{launch:?}: {found} by {by:?}"
            );
        }
    }
}
