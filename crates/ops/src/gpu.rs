//! The GPU backends use the default implementations: CubeCL's own convolution is tuned at run time, and the tensor ops of batch norm
//! are fused.

use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use crate::{ConvOps, NormOps, PoolOps, RegionOps, TransformerOps};

macro_rules! default_implementations {
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

default_implementations!(ConvOps, NormOps, PoolOps, RegionOps, TransformerOps);
