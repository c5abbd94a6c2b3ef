//! Rows of a matrix: sums with a fixed number of lanes, and outputs that replace their operand.

use crate::cpu::in_place::InPlaceOrFresh;

/// Rows of a task. Fixed, so that sums over rows depend on the shape alone.
pub(super) const TASK_ROWS: usize = 64;

/// Independent partial sums of a row, the same number on every machine.
const LANES: usize = 16;

/// Σ of `term` over the elements of two rows of equal length, in f32 lanes that are added in f64.
#[inline(always)]
pub(super) fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += term(a[lane], b[lane]);
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(rest_a.iter().zip(rest_b)) {
        *lane += term(a, b);
    }
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}

/// The output with the operand's values, to be computed in place.
pub(super) fn in_place(part: InPlaceOrFresh<'_>) -> &mut [f32] {
    match part {
        InPlaceOrFresh::InPlace(floats) => floats,
        InPlaceOrFresh::Fresh(to, from) => {
            assert_eq!(to.len(), from.len(), "an output and its operand differ in length");
            to.iter_mut().zip(from).for_each(|(to, &from)| {
                to.write(from);
            });
            let (floats, len) = (to.as_mut_ptr().cast(), to.len());
            // SAFETY: all of it has been written, and it is borrowed for as long as the result.
            unsafe { std::slice::from_raw_parts_mut(floats, len) }
        }
    }
}
