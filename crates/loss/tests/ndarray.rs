//! The suite on the ndarray backend, which has every default body.

mod common;

use burn::backend::Autodiff;
use burn_ndarray::NdArray;

suite!(Autodiff<NdArray>, Default::default());

/// A backend whose default float type is not the loss's.
mod of_doubles {
    use super::*;

    suite!(Autodiff<NdArray<f64>>, Default::default());
}
