//! The loops over a few channels of one image: two sums a channel at once, and maps in place.
//!
//! Written so that the compiler vectorises them, along the row of a map, or across channels for vectors (one value a channel).
//! Every order depends on the lengths alone.

use std::array::from_fn;

use super::layout::Layout;

/// Independent sums of a row: the floats of the longest vector, or two, or four.
const LANES: usize = 16;
/// Values that are added in f32 before the sum goes on in f64.
const ADDED_IN_F32: usize = 128;

/// Two sums for each channel of a task.
pub(super) struct Sums {
    pixels: usize,
    /// Floats a channel in `partial`: the lanes of a row, or for vectors one.
    lanes: usize,
    partial: [Vec<f32>; 2],
    total: Vec<[f64; 2]>,
    /// Images in `partial`, and how many it may take.
    images: usize,
    most_images: usize,
}

impl Sums {
    /// Sums of no image over `channels` channels.
    pub(super) fn new(layout: Layout, channels: usize) -> Self {
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

    /// Adds value(p, a, b) of each pixel of an image, where p are the channel's values in `params`.
    #[inline(always)]
    pub(super) fn add<const P: usize>(
        &mut self,
        params: [&[f32]; P],
        a: &[f32],
        b: &[f32],
        value: impl Fn([f32; P], f32, f32) -> [f32; 2],
    ) {
        let channels = self.total.len();
        let params = params.map(|values| &values[..channels]);
        let [first, second] = &mut self.partial;
        if self.lanes == 1 {
            // Neighbours are channels, so the loop over them is the one to vectorise.
            let (first, second) = (&mut first[..channels], &mut second[..channels]);
            let (a, b) = (&a[..channels], &b[..channels]);
            for c in 0..channels {
                let [u, v] = value(from_fn(|i| params[i][c]), a[c], b[c]);
                first[c] += u;
                second[c] += v;
            }
        } else {
            let rows = a.chunks_exact(self.pixels).zip(b.chunks_exact(self.pixels));
            let sums = first.as_chunks_mut().0.iter_mut().zip(second.as_chunks_mut().0);
            for (c, ((a, b), (first, second))) in rows.zip(sums).enumerate() {
                let p = from_fn(|i| params[i][c]);
                add_row([first, second], a, b, |a, b| value(p, a, b));
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
fn add_row(sums: [&mut [f32; LANES]; 2], a: &[f32], b: &[f32], value: impl Fn(f32, f32) -> [f32; 2]) {
    let [mut first, mut second] = [*sums[0], *sums[1]];
    let (groups_a, rest_a) = a.as_chunks::<LANES>();
    let (groups_b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in groups_a.iter().zip(groups_b) {
        for lane in 0..LANES {
            let [u, v] = value(a[lane], b[lane]);
            first[lane] += u;
            second[lane] += v;
        }
    }
    for ((a, b), lane) in rest_a.iter().zip(rest_b).zip(0..LANES) {
        let [u, v] = value(*a, *b);
        first[lane] += u;
        second[lane] += v;
    }
    *sums[0] = first;
    *sums[1] = second;
}

/// Replaces each value a of `out` by value(p, a, b), with b at the same place in `other` and p the channel's in `params`.
#[inline(always)]
pub(super) fn map<const P: usize>(
    out: &mut [f32],
    pixels: usize,
    params: [&[f32]; P],
    other: &[f32],
    value: impl Fn([f32; P], f32, f32) -> f32,
) {
    if pixels == 1 {
        let channels = out.len();
        let (params, other) = (params.map(|values| &values[..channels]), &other[..channels]);
        for c in 0..channels {
            out[c] = value(from_fn(|i| params[i][c]), out[c], other[c]);
        }
        return;
    }
    let rows = out.chunks_exact_mut(pixels).zip(other.chunks_exact(pixels));
    for (c, (out, other)) in rows.enumerate() {
        let p: [f32; P] = from_fn(|i| params[i][c]);
        for (out, &other) in out.iter_mut().zip(other) {
            *out = value(p, *out, other);
        }
    }
}

/// [`map`] without another operand.
#[inline(always)]
pub(super) fn map_alone<const P: usize>(
    out: &mut [f32],
    pixels: usize,
    params: [&[f32]; P],
    value: impl Fn([f32; P], f32) -> f32,
) {
    if pixels == 1 {
        let channels = out.len();
        let params = params.map(|values| &values[..channels]);
        for c in 0..channels {
            out[c] = value(from_fn(|i| params[i][c]), out[c]);
        }
        return;
    }
    for (c, out) in out.chunks_exact_mut(pixels).enumerate() {
        let p: [f32; P] = from_fn(|i| params[i][c]);
        for out in out {
            *out = value(p, *out);
        }
    }
}
