//! The suite of the whole loss, on WGPU under autodiff and fusion: as a program uses it.

use burn::backend::Autodiff;

use crate::common;
use crate::support::{Fused, device};

crate::suite!(
    Autodiff<Fused>,
    match device() {
        Some(device) => device,
        None => return,
    }
);
