//! The operations whose default implementations the GPU backends use. Convolution, batch norm and pooling have a `gpu` module each.

use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use crate::{RegionOps, TransformerOps};

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

default_implementations!(RegionOps, TransformerOps);
