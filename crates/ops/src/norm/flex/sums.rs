//! Channel sums: two sums per channel in one pass, over all images of a task.
//!
//! SIMD vectors run along the row of a feature map, or across channels if each channel has one value. A sum has the same number
//! of lanes on every machine (value e of a row goes to lane e mod [`LANES`]), and its order depends only on the lengths.

use std::array::from_fn;

use barlow_simd::Simd;

use super::formula::{Formula, loaded, splat};
use super::layout::NormLayout;
use super::part::parts;

/// Independent partial sums of a row: the floats of the longest SIMD vector.
const LANES: usize = 16;
/// Number of values added in f32 before the sum continues in f64.
const ADDED_IN_F32: usize = 128;

/// Two sums for each channel of a task.
pub(super) struct ChannelSums {
    pixels: usize,
    /// Floats per channel in `partial`: the lanes of a row, or one if a row has one value.
    lanes: usize,
    partial: [Vec<f32>; 2],
    total: Vec<[f64; 2]>,
    /// Number of images in `partial`, and its maximum.
    images: usize,
    most_images: usize,
}

impl ChannelSums {
    /// Sums of `channels` channels, initially zero.
    pub(super) fn new(layout: NormLayout, channels: usize) -> Self {
        let lanes = if layout.pixels == 1 { 1 } else { LANES };
        Self {
            pixels: layout.pixels,
            lanes,
            partial: from_fn(|_| vec![0.0; channels * lanes]),
            total: vec![[0.0; 2]; channels],
            images: 0,
            most_images: (ADDED_IN_F32 / layout.pixels.div_ceil(lanes)).max(1),
        }
    }

    /// Adds F::of(simd, p, a, b) for each pixel of an image, where p are the channel's values in `params`.
    #[inline(always)]
    pub(super) fn add<S: Simd, const P: usize, F: Formula<S, P, [S::f32s; 2]>>(
        &mut self,
        simd: S,
        params: [&[f32]; P],
        a: &[f32],
        b: &[f32],
        _: F,
    ) {
        let [first, second] = &mut self.partial;
        if self.lanes == 1 {
            for part in parts(simd, first.len()) {
                let p = loaded(part, params);
                let [u, v] = F::of(simd, p, part.load(a), part.load(b));
                let u = simd.add_f32s(part.load(first), u);
                let v = simd.add_f32s(part.load(second), v);
                part.store(first, u);
                part.store(second, v);
            }
        } else {
            let rows = a.chunks_exact(self.pixels).zip(b.chunks_exact(self.pixels));
            let sums = first.as_chunks_mut().0.iter_mut().zip(second.as_chunks_mut().0);
            for (c, ((a, b), (first, second))) in rows.zip(sums).enumerate() {
                let p = splat(simd, params, c);
                add_row::<S, P, F>(simd, [first, second], p, a, b);
            }
        }
        self.images += 1;
        if self.images == self.most_images {
            self.flush();
        }
    }

    /// The sums of each channel.
    pub(super) fn finish(mut self) -> Vec<[f64; 2]> {
        self.flush();
        self.total
    }

    #[inline(always)]
    fn flush(&mut self) {
        for (k, partial) in self.partial.iter_mut().enumerate() {
            for (total, lanes) in self.total.iter_mut().zip(partial.chunks_exact(self.lanes)) {
                total[k] += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
            }
            partial.fill(0.0);
        }
        self.images = 0;
    }
}

#[inline(always)]
fn add_row<S: Simd, const P: usize, F: Formula<S, P, [S::f32s; 2]>>(
    simd: S,
    sums: [&mut [f32; LANES]; 2],
    p: [S::f32s; P],
    a: &[f32],
    b: &[f32],
) {
    let [first, second] = sums;
    let (whole_a, rest_a) = S::as_simd_f32s(a);
    let (whole_b, rest_b) = S::as_simd_f32s(b);
    {
        // Only as many vectors of the arrays u and v are used as fill the lanes.
        let parts = LANES / S::F32_LANES;
        let (first, second) = (S::as_mut_simd_f32s(first).0, S::as_mut_simd_f32s(second).0);
        let mut u = [simd.splat_f32s(0.0); LANES];
        let mut v = u;
        u.iter_mut().zip(&*first).for_each(|(u, sum)| *u = *sum);
        v.iter_mut().zip(&*second).for_each(|(v, sum)| *v = *sum);
        let (groups_a, groups_b) = (whole_a.chunks_exact(parts), whole_b.chunks_exact(parts));
        let last = groups_a.remainder().iter().zip(groups_b.remainder());
        for (a, b) in groups_a.zip(groups_b) {
            for part in 0..parts {
                let [more_u, more_v] = F::of(simd, p, a[part], b[part]);
                u[part] = simd.add_f32s(u[part], more_u);
                v[part] = simd.add_f32s(v[part], more_v);
            }
        }
        first.iter_mut().zip(&u).for_each(|(sum, u)| *sum = *u);
        second.iter_mut().zip(&v).for_each(|(sum, v)| *sum = *v);
        for (part, (&a, &b)) in last.enumerate() {
            let [more_u, more_v] = F::of(simd, p, a, b);
            first[part] = simd.add_f32s(first[part], more_u);
            second[part] = simd.add_f32s(second[part], more_v);
        }
    }
    if !rest_a.is_empty() {
        let [u, v] = F::of(simd, p, simd.partial_load_f32s(rest_a), simd.partial_load_f32s(rest_b));
        let lane = (a.len() - rest_a.len()) % LANES;
        // Values past the end of the row, computed from zeros, are dropped.
        for (sum, values) in [(first, u), (second, v)] {
            let mut floats = [0.0; LANES];
            simd.partial_store_f32s(&mut floats[..S::F32_LANES], values);
            let lanes = sum[lane..].iter_mut().zip(&floats[..rest_a.len()]);
            lanes.for_each(|(lane, value)| *lane += value);
        }
    }
}
