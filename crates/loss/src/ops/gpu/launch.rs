//! Kernel launches: how C is split into cubes on a device, checks of the device's limits, and the launches.

use burn::tensor::{DType, Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::ir::AddressType;
use burn_cubecl::cubecl::ir::DeviceProperties;
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::kernels;

/// Units per cube, if the device allows as many: enough to hide memory latency, and a multiple of every plane size.
const UNITS: u32 = 256;
/// Minimum number of vectors per unit, so that small matrices do not launch more cubes than they can use.
const LEAST_ROUNDS: u64 = 4;
/// Maximum number of cubes: several per multiprocessor of the largest devices, few enough for one cube to add their sums.
const MOST_CUBES: u64 = 2048;
/// Size of the four sums of a unit or a cube, in bytes.
const SUMS_BYTES: usize = 4 * size_of::<f32>();

/// Partition of the D² elements of C into cubes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Elements per vector, 4 or 1.
    width: usize,
    /// D² / width.
    vectors: usize,
    /// D + 1, the distance between consecutive diagonal elements.
    period: u32,
    /// Units per cube, a power of two.
    units: u32,
    /// Number of vectors that each unit reads.
    rounds: u32,
    cubes: u32,
    /// Integer type of the indices into C.
    address: AddressType,
}

impl Plan {
    /// The partition of C [d, d] on a device.
    ///
    /// # Errors
    /// The reason why the device cannot run the kernels.
    pub(super) fn new(d: usize, device: &DeviceProperties) -> Result<Self, String> {
        let hardware = &device.hardware;
        let elements = (d as u64)
            .checked_mul(d as u64)
            .filter(|_| d < i32::MAX as usize)
            .ok_or_else(|| format!("[{d}, {d}] has more elements than the kernels can index"))?;
        let bytes = elements * size_of::<f32>() as u64;
        if bytes > device.memory.max_page_size {
            let limit = device.memory.max_page_size;
            return Err(format!(
                "[{d}, {d}] takes {bytes} bytes, more than the {limit} bytes of the largest buffer"
            ));
        }
        let shared = (hardware.max_shared_memory_size / SUMS_BYTES) as u32;
        let most = UNITS
            .min(hardware.max_units_per_cube)
            .min(hardware.max_cube_dim.0)
            .min(shared);
        let Some(units) = most.checked_ilog2().map(|log| 1 << log) else {
            return Err("the device has no units or no shared memory per cube".to_owned());
        };

        let width = if d.is_multiple_of(2) && hardware.max_vector_size >= 4 {
            4
        } else {
            1
        };
        let vectors = elements / width;
        let most_cubes = MOST_CUBES.min(u64::from(hardware.max_cube_count.0)).max(1);
        let rounds = vectors.div_ceil(u64::from(units) * most_cubes).max(LEAST_ROUNDS);
        let cubes = vectors.div_ceil(u64::from(units) * rounds);
        // The indices of the last cube extend past the end.
        let address = AddressType::from_len((cubes * rounds * u64::from(units) * width) as usize);
        if !device.supports_address(address) {
            return Err(format!("[{d}, {d}] needs {address} indices"));
        }
        Ok(Self {
            width: width as usize,
            vectors: vectors as usize,
            period: d as u32 + 1,
            units,
            rounds: rounds as u32,
            cubes: cubes as u32,
            address,
        })
    }

    fn count(&self) -> CubeCount {
        CubeCount::new_1d(self.cubes)
    }

    fn dim(&self) -> CubeDim {
        CubeDim::new_1d(self.units)
    }
}

/// Launches two kernels that compute the sums [4] of C [D, D], both f32.
pub(super) fn correlation_sums<R: CubeRuntime>(c: CubeTensor<R>, plan: &Plan) -> CubeTensor<R> {
    let c = into_contiguous(c);
    let (client, device) = (c.client.clone(), c.device.clone());
    let empty = |shape: Shape| empty_device_contiguous_dtype(client.clone(), device.clone(), shape, DType::F32);
    let partials = empty(Shape::new([plan.cubes as usize, 4]));
    let sums = empty(Shape::new([4]));
    let units = plan.units as usize;
    kernels::sum_pieces::launch::<R>(
        &client,
        plan.count(),
        plan.dim(),
        plan.address,
        plan.width,
        c.into_array_arg(),
        partials.clone().into_array_arg(),
        plan.vectors,
        plan.period,
        plan.rounds,
        units,
    );
    kernels::sum_partials::launch::<R>(
        &client,
        CubeCount::new_single(),
        plan.dim(),
        partials.into_array_arg(),
        sums.clone().into_array_arg(),
        plan.cubes as usize,
        units,
    );
    sums
}

/// Launches one kernel that computes dC [D, D] from C [D, D] and `weights` [2], all f32, in place if the buffer of C is not
/// shared.
pub(super) fn correlation_gradient<R: CubeRuntime>(
    c: CubeTensor<R>,
    weights: CubeTensor<R>,
    plan: &Plan,
) -> CubeTensor<R> {
    let c = into_contiguous(c);
    let weights = into_contiguous(weights);
    let client = c.client.clone();
    let (dc, output) = if c.can_mut() {
        (c.clone(), c.as_tensor_alias(0).into_array_arg())
    } else {
        let dc = empty_device_contiguous_dtype(client.clone(), c.device.clone(), c.shape(), DType::F32);
        (dc.clone(), dc.into_array_arg())
    };
    kernels::gradient::launch::<R>(
        &client,
        plan.count(),
        plan.dim(),
        plan.address,
        plan.width,
        c.into_array_arg(),
        weights.into_array_arg(),
        output,
        plan.vectors,
        plan.period,
        plan.rounds,
        plan.units as usize,
    );
    dc
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_cubecl::cubecl::ir::features::Features;
    use burn_cubecl::cubecl::ir::{HardwareProperties, MemoryDeviceProperties};
    use burn_cubecl::cubecl::profile::TimingMethod;

    fn device(largest_buffer: u64, addresses: &[AddressType]) -> DeviceProperties {
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
            max_page_size: largest_buffer,
            alignment: 256,
        };
        let mut properties = DeviceProperties::new(Features::default(), memory, hardware, TimingMethod::System);
        addresses
            .iter()
            .for_each(|&address| properties.register_address_type(address));
        properties
    }

    #[test]
    fn the_cubes_cover_every_element_and_none_is_idle() {
        let device = device(1 << 40, &[AddressType::U32, AddressType::U64]);
        for d in [1, 2, 3, 63, 64, 1023, 1024, 8192, 65535, 65536, 131071] {
            let plan = Plan::new(d, &device).unwrap();
            let piece = plan.units as usize * plan.rounds as usize;
            assert_eq!(plan.vectors * plan.width, d * d, "D {d}");
            assert!(piece * plan.cubes as usize >= plan.vectors, "D {d}: {plan:?}");
            assert!(piece * (plan.cubes as usize - 1) < plan.vectors, "D {d}: {plan:?}");
            assert!(u64::from(plan.cubes) <= MOST_CUBES, "D {d}: {plan:?}");
            let wide = piece * plan.cubes as usize * plan.width > u32::MAX as usize;
            assert_eq!(plan.address == AddressType::U64, wide, "D {d}: {plan:?}");
        }
    }

    #[test]
    fn a_small_device_gets_smaller_cubes() {
        let mut device = device(1 << 30, &[AddressType::U32]);
        device.hardware.max_units_per_cube = 100;
        device.hardware.max_cube_count.0 = 7;
        let plan = Plan::new(2048, &device).unwrap();
        assert_eq!((plan.units, plan.cubes), (64, 7));
        device.hardware.max_shared_memory_size = 512;
        assert_eq!(Plan::new(2048, &device).unwrap().units, 32);
    }

    #[test]
    fn what_cannot_run_says_why() {
        let why = |d| Plan::new(d, &device(128 << 20, &[AddressType::U32])).unwrap_err();
        assert!(
            why(8192).contains("268435456 bytes, more than the 134217728"),
            "{}",
            why(8192)
        );
        let why = Plan::new(65536, &device(1 << 40, &[AddressType::U32])).unwrap_err();
        assert!(why.contains("u64 indices"), "{why}");
    }
}
