//! The GPU backends take the default bodies: CubeCL's own convolution, tuned at run time, is the better one there, and the
//! tensor ops of the batch norm are fused.

use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use super::{ConvOps, NormOps, PoolOps};

impl<R, F, I, BT> ConvOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
}

impl<B: FusionBackend> ConvOps for Fusion<B> {}

impl<R, F, I, BT> NormOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
}

impl<B: FusionBackend> NormOps for Fusion<B> {}

impl<R, F, I, BT> PoolOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
}

impl<B: FusionBackend> PoolOps for Fusion<B> {}
