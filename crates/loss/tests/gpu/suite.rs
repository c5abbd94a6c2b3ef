//! Checks of the whole loss on WGPU under autodiff and fusion, as a program uses it: every form against PyTorch's numbers, one
//! view alone, and the edges.
//!
//! A part of the CPU's suite: every new shape is tuned first, which takes Mesa's software driver seconds, and the rest of the
//! suite asks for hundreds of shapes. Nor peers, which are threads on one device here: the fusion layer's queues are per thread.

use burn::backend::Autodiff;

use crate::common;
use crate::support::{Fused, device};

/// The device, or the end of a test that has none.
macro_rules! device_or_return {
    () => {
        match device() {
            Some(device) => device,
            None => return,
        }
    };
}

crate::suite!(@ Autodiff<Fused>, device_or_return!(), parity: the_goldens_of_torch one_tracked_view_alone);
crate::suite!(@ Autodiff<Fused>, device_or_return!(), properties:
    a_dead_dimension_has_a_finite_gradient one_dimension_has_no_redundancy);
crate::suite!(@ Autodiff<Fused>, device_or_return!(), edges:
    half_precision_input_is_computed_in_single_precision not_a_number_stays_not_a_number);
