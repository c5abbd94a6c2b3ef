//! The GPU backends take the default bodies: CubeCL's own convolution, tuned at run time, is the better one there, and the
//! tensor ops of the batch norm are fused.

use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use super::{ConvOps, NormOps, PoolOps};

macro_rules! default_bodies {
    ($($ops:ident),*) => {$(
        impl<R, F, I, BT> $ops for CubeBackend<R, F, I, BT>
        where
            R: CubeRuntime,
            R::Server: ComputeServer,
            R::Device: burn_backend::DeviceOps,
            F: FloatElement,
            I: IntElement,
            BT: BoolElement,
        {
        }

        impl<B: FusionBackend> $ops for Fusion<B> {}
    )*};
}

default_bodies!(ConvOps, NormOps, PoolOps);
