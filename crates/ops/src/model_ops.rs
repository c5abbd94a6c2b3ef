//! Trait bound for all operations of this crate.

use crate::{ConvOps, NormOps, PoolOps};

/// Every operation that a convolutional network needs from its backend. Implemented for each backend that implements all three
/// traits.
pub trait ModelOps: ConvOps + NormOps + PoolOps {}

impl<B: ConvOps + NormOps + PoolOps> ModelOps for B {}
