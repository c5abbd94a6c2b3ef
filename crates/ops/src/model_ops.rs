//! All operations of this crate as one bound.

use crate::{ConvOps, NormOps, PoolOps};

/// Every operation that a convolutional network needs from its backend; implemented by each backend that has all three.
pub trait ModelOps: ConvOps + NormOps + PoolOps {}

impl<B: ConvOps + NormOps + PoolOps> ModelOps for B {}
