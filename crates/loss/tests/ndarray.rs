//! The suite on the ndarray backend, which has every default body.

mod common;

use burn::backend::Autodiff;
use burn_ndarray::NdArray;

suite!(Autodiff<NdArray>, Default::default());
