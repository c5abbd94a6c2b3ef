//! The loss test suite on the ndarray backend, which uses all default implementations.

mod common;

use burn::backend::Autodiff;
use burn_ndarray::NdArray;

suite!(Autodiff<NdArray>, Default::default());

/// A backend whose default float type differs from that of the loss.
mod of_doubles {
    use super::*;

    suite!(Autodiff<NdArray<f64>>, Default::default());
}
