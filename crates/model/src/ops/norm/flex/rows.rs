//! The loops over a few channels of one image: sums per channel and element-wise maps.
//!
//! Written so that the compiler vectorises them for maps (long rows, a channel each) and for vectors (one value a channel).
//! Every order depends on the lengths alone.

/// Independent sums of a row.
const LANES: usize = 8;

/// Adds to the sum of each channel c the value(c, a, b) of its row of `pixels` in `a` and `b`.
#[inline(always)]
pub(super) fn add(sums: &mut [f64], pixels: usize, a: &[f32], b: &[f32], value: impl Fn(usize, f32, f32) -> f32) {
    if pixels == 1 {
        // Vectors: neighbours are channels, so the loop over them is the one to vectorise.
        for (c, (sum, (&a, &b))) in sums.iter_mut().zip(a.iter().zip(b)).enumerate() {
            *sum += f64::from(value(c, a, b));
        }
        return;
    }
    for (c, (total, (a, b))) in sums
        .iter_mut()
        .zip(a.chunks_exact(pixels).zip(b.chunks_exact(pixels)))
        .enumerate()
    {
        *total += sum(a, b, |a, b| value(c, a, b));
    }
}

/// Writes value(c, a, b) to every pixel of every channel c.
#[inline(always)]
pub(super) fn map(out: &mut [f32], pixels: usize, a: &[f32], b: &[f32], value: impl Fn(usize, f32, f32) -> f32) {
    if pixels == 1 {
        for (c, (out, (&a, &b))) in out.iter_mut().zip(a.iter().zip(b)).enumerate() {
            *out = value(c, a, b);
        }
        return;
    }
    let rows = a.chunks_exact(pixels).zip(b.chunks_exact(pixels));
    for (c, (out, (a, b))) in out.chunks_exact_mut(pixels).zip(rows).enumerate() {
        out.iter_mut()
            .zip(a.iter().zip(b))
            .for_each(|(out, (&a, &b))| *out = value(c, a, b));
    }
}

/// Σ value(a, b) over a row: lanes in f32, then their total in f64.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], value: impl Fn(f32, f32) -> f32) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let (groups_a, rest_a) = a.as_chunks::<LANES>();
    let (groups_b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in groups_a.iter().zip(groups_b) {
        for lane in 0..LANES {
            lanes[lane] += value(a[lane], b[lane]);
        }
    }
    let total: f64 = lanes.iter().map(|&lane| f64::from(lane)).sum();
    rest_a
        .iter()
        .zip(rest_b)
        .fold(total, |total, (&a, &b)| total + f64::from(value(a, b)))
}
