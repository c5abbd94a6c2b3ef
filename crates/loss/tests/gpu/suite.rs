//! Tests of the whole loss on WGPU with autodiff and fusion, as in real programs: every form against PyTorch's results, gradients
//! of a single view, and edge cases.
//!
//! Only a part of the CPU suite: every new shape is autotuned first, which takes seconds on Mesa's software driver, and the rest
//! of the suite uses hundreds of shapes. The peer tests are excluded because their peers are threads on one device, and the
//! fusion layer's queues are per thread.

use burn::backend::Autodiff;

use crate::common;
use crate::support::{Fused, device};

/// Evaluates to the device, or returns from the test if there is none.
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
