//! Trait bound for all operations of this crate.

use crate::{ConvOps, NormOps, PoolOps, TransformerOps};

/// Every operation that a network needs from its backend. Implemented for each backend that implements all four traits.
pub trait ModelOps: ConvOps + NormOps + PoolOps + TransformerOps {}

impl<B: ConvOps + NormOps + PoolOps + TransformerOps> ModelOps for B {}
