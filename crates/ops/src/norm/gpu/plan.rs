//! How [M, C] is split into cubes on a device, and whether the device can run the kernels.

use burn_cubecl::cubecl::ir::{AddressType, DeviceProperties};

/// Units per cube, if the device allows as many: enough to hide memory latency, and a multiple of every plane size.
const UNITS: u32 = 256;
/// Columns of a cube at most: neighbouring lanes read neighbouring vectors, and this many are a whole number of cache lines.
const LANES: u32 = 32;
/// Rows of a team at least, so that small batches do not launch more cubes than they can use.
const LEAST_ROWS: usize = 8;
/// Cubes of a sum at most: several per multiprocessor of the largest devices.
const MOST_CUBES: usize = 1024;
/// Buffers of the kernel with the most, its sizes included.
const BINDINGS: u32 = 8;

/// Partition of M rows of C channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Channels per vector, 4 or 1.
    pub(super) width: usize,
    /// Rows M.
    pub(super) rows: usize,
    /// C / width.
    pub(super) columns: usize,
    /// Columns per cube of a sum, a power of two.
    pub(super) lanes: u32,
    /// Rows that such a cube reads at a time, a power of two.
    pub(super) teams: u32,
    /// Rows per cube of a sum.
    pub(super) rows_per_chunk: usize,
    /// Cubes of a sum along the rows.
    pub(super) chunks: usize,
    /// Cubes of a sum along the columns.
    pub(super) tiles: u32,
    /// Units per cube of a kernel without sums.
    pub(super) units: u32,
    /// Integer type of the indices.
    pub(super) address: AddressType,
}

impl Plan {
    /// The partition on a device.
    ///
    /// # Errors
    /// The reason why the device cannot run the kernels.
    pub(super) fn new(rows: usize, channels: usize, device: &DeviceProperties) -> Result<Self, String> {
        let hardware = &device.hardware;
        if hardware.max_bindings < BINDINGS {
            let bindings = hardware.max_bindings;
            return Err(format!("a kernel can have {bindings} buffers, fewer than {BINDINGS}"));
        }
        let width = if channels.is_multiple_of(4) && hardware.max_vector_size >= 4 {
            4
        } else {
            1
        };
        let columns = channels / width;
        let vector_bytes = width * size_of::<f32>();
        let shared = (hardware.max_shared_memory_size / vector_bytes) as u32;
        let most = UNITS.min(hardware.max_units_per_cube).min(hardware.max_cube_dim.0);
        let Some(units) = most.min(shared).checked_ilog2().map(|log| 1u32 << log) else {
            return Err("the device has no units or no shared memory per cube".to_owned());
        };
        let lanes = LANES.min(columns.next_power_of_two() as u32).min(units);
        let teams = (units / lanes).min(1 << hardware.max_cube_dim.1.max(1).ilog2());
        let tiles = columns.div_ceil(lanes as usize);
        let most_chunks = (MOST_CUBES / tiles).clamp(1, hardware.max_cube_count.1 as usize);
        let chunks = rows.div_ceil(teams as usize * LEAST_ROWS).clamp(1, most_chunks);
        let rows_per_chunk = rows.div_ceil(chunks);
        let address = AddressType::from_len(rows * channels);
        if !device.supports_address(address) {
            return Err(format!("[{rows}, {channels}] needs {address} indices"));
        }
        Ok(Self {
            width,
            rows,
            columns,
            lanes,
            teams,
            rows_per_chunk,
            chunks: rows.div_ceil(rows_per_chunk),
            tiles: tiles as u32,
            units,
            address,
        })
    }

    /// Vectors of the whole.
    pub(super) fn vectors(&self) -> usize {
        self.rows * self.columns
    }

    /// Channels C.
    pub(super) fn channels(&self) -> usize {
        self.columns * self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_cubecl::cubecl::ir::features::Features;
    use burn_cubecl::cubecl::ir::{HardwareProperties, MemoryDeviceProperties};
    use burn_cubecl::cubecl::profile::TimingMethod;

    fn device() -> DeviceProperties {
        let hardware = HardwareProperties {
            load_width: 128,
            plane_size_min: 32,
            plane_size_max: 32,
            max_bindings: 8,
            max_shared_memory_size: 32 << 10,
            max_cube_count: (65535, 65535, 65535),
            max_units_per_cube: 1024,
            max_cube_dim: (1024, 1024, 64),
            num_streaming_multiprocessors: None,
            num_cpu_cores: None,
            num_tensor_cores: None,
            min_tensor_cores_dim: None,
            max_vector_size: 4,
        };
        let memory = MemoryDeviceProperties {
            max_page_size: 1 << 30,
            alignment: 256,
        };
        let mut properties = DeviceProperties::new(Features::default(), memory, hardware, TimingMethod::System);
        properties.register_address_type(AddressType::U32);
        properties
    }

    #[test]
    fn chunks_cover_every_row_and_none_is_empty() {
        for rows in [1, 2, 7, 49 * 64, 802_816, 1 << 20] {
            for channels in [1, 3, 4, 6, 64, 100, 2048] {
                let plan = Plan::new(rows, channels, &device()).unwrap();
                assert_eq!(plan.channels(), channels);
                assert_eq!((plan.lanes * plan.teams, plan.units), (256, 256));
                assert!(plan.rows_per_chunk * plan.chunks >= rows, "{plan:?}");
                assert!(plan.rows_per_chunk * (plan.chunks - 1) < rows, "{plan:?}");
                assert!(plan.tiles as usize * plan.lanes as usize >= plan.columns, "{plan:?}");
                assert!(plan.chunks * plan.tiles as usize <= MOST_CUBES, "{plan:?}");
            }
        }
        // The stem of a ResNet-50: every multiprocessor has several cubes.
        assert_eq!(Plan::new(802_816, 64, &device()).unwrap().chunks, 1024);
    }

    #[test]
    fn what_cannot_run_says_why() {
        let mut few = device();
        few.hardware.max_bindings = 4;
        let why = Plan::new(64, 64, &few).unwrap_err();
        assert!(why.contains("4 buffers"), "{why}");
        let why = Plan::new(1 << 30, 64, &device()).unwrap_err();
        assert!(why.contains("u64 indices"), "{why}");
    }

    #[test]
    fn a_small_device_gets_smaller_cubes() {
        let mut small = device();
        small.hardware.max_units_per_cube = 100;
        small.hardware.max_cube_dim = (100, 100, 1);
        let plan = Plan::new(1000, 64, &small).unwrap();
        assert_eq!((plan.units, plan.lanes, plan.teams), (64, 16, 4));
    }
}
