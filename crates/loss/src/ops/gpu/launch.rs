//! How C is cut into cubes on a device, what a device cannot launch, and the launches themselves.

use burn::tensor::{DType, Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::ir::AddressType;
use burn_cubecl::cubecl::ir::DeviceProperties;
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::kernels;

/// Units per cube where the device allows them: enough to hide the memory's latency, and a multiple of every plane size.
const UNITS: u32 = 256;
/// Vectors a unit reads at least, so that small matrices do not pay for more cubes than they can use.
const LEAST_ROUNDS: u64 = 4;
/// Cubes at most: several for each multiprocessor of the largest devices, few enough for one cube to add their sums.
const MOST_CUBES: u64 = 2048;
/// Bytes of the four sums that a unit or a cube keeps.
const SUMS_BYTES: usize = 4 * size_of::<f32>();

/// A cut of the D² elements of C into cubes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Elements read at once, 4 or 1.
    width: usize,
    /// D² / width.
    vectors: usize,
    /// D + 1, the distance between two diagonal elements.
    period: u32,
    /// Units per cube, a power of two.
    units: u32,
    /// Vectors that each unit reads.
    rounds: u32,
    cubes: u32,
    /// Width of the indices into C.
    address: AddressType,
}

impl Plan {
    /// The cut of C [d, d] on a device, or what stands against the kernels there.
    pub(super) fn new(d: usize, device: &DeviceProperties) -> Result<Self, String> {
        let hardware = &device.hardware;
        let elements = (d as u64)
            .checked_mul(d as u64)
            .filter(|_| d < i32::MAX as usize)
            .ok_or_else(|| format!("[{d}, {d}] has more elements than the kernels count"))?;
        let bytes = elements * size_of::<f32>() as u64;
        if bytes > device.memory.max_page_size {
            let limit = device.memory.max_page_size;
            return Err(format!(
                "[{d}, {d}] takes {bytes} bytes, more than the {limit} of one buffer"
            ));
        }
        let address = AddressType::from_len(elements as usize);
        if !device.supports_address(address) {
            return Err(format!("[{d}, {d}] needs {address} indices"));
        }
        let shared = (hardware.max_shared_memory_size / SUMS_BYTES) as u32;
        let most = UNITS
            .min(hardware.max_units_per_cube)
            .min(hardware.max_cube_dim.0)
            .min(shared);
        let Some(units) = most.checked_ilog2().map(|log| 1 << log) else {
            return Err("no units or no shared memory in a cube".to_owned());
        };

        let width = if d % 2 == 0 && hardware.max_vector_size >= 4 {
            4
        } else {
            1
        };
        let vectors = elements / width;
        let most_cubes = MOST_CUBES.min(u64::from(hardware.max_cube_count.0)).max(1);
        let rounds = vectors.div_ceil(u64::from(units) * most_cubes).max(LEAST_ROUNDS);
        let cubes = vectors.div_ceil(u64::from(units) * rounds);
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

/// The sums [4] of C [D, D], both f32, by two kernels.
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

/// dC [D, D] from C [D, D] and `weights` [2], all f32, by one kernel.
pub(super) fn correlation_gradient<R: CubeRuntime>(
    c: CubeTensor<R>,
    weights: CubeTensor<R>,
    plan: &Plan,
) -> CubeTensor<R> {
    let c = into_contiguous(c);
    let weights = into_contiguous(weights);
    let client = c.client.clone();
    let dc = empty_device_contiguous_dtype(client.clone(), c.device.clone(), c.shape(), DType::F32);
    kernels::gradient::launch::<R>(
        &client,
        plan.count(),
        plan.dim(),
        plan.address,
        plan.width,
        c.into_array_arg(),
        weights.into_array_arg(),
        dc.clone().into_array_arg(),
        plan.vectors,
        plan.period,
        plan.rounds,
        plan.units as usize,
    );
    dc
}
