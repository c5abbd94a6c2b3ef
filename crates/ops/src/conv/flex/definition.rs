//! Reference implementation of the three operations in f64, for tests.

use super::shape::ConvShape;

/// Values in [-1, 1].
pub(super) fn formula(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.1).sin()).collect()
}

/// Output, input gradient and weight gradient: each element with the sum of the absolute values of its terms.
pub(super) fn definition(shape: &ConvShape, x: &[f32], weight: &[f32], dy: &[f32]) -> [Vec<[f64; 2]>; 3] {
    let ConvShape {
        images,
        channels_in,
        height,
        width,
        channels_out,
        out_height,
        out_width,
        kernel,
        stride,
        padding,
    } = *shape;
    let zeros = |len| vec![[0.0; 2]; len];
    let [mut out, mut input, mut weights] = [zeros(dy.len()), zeros(x.len()), zeros(weight.len())];
    let mut add = |y: usize, i: usize, w: usize| {
        for (sum, product) in [
            (&mut out[y], f64::from(x[i]) * f64::from(weight[w])),
            (&mut input[i], f64::from(dy[y]) * f64::from(weight[w])),
            (&mut weights[w], f64::from(dy[y]) * f64::from(x[i])),
        ] {
            sum[0] += product;
            sum[1] += product.abs();
        }
    };
    for (image, o, c) in
        (0..images).flat_map(|image| (0..channels_out).flat_map(move |o| (0..channels_in).map(move |c| (image, o, c))))
    {
        for (oy, ox) in (0..out_height).flat_map(|oy| (0..out_width).map(move |ox| (oy, ox))) {
            for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                let (Some(iy), Some(ix)) = (
                    (oy * stride + ky).checked_sub(padding),
                    (ox * stride + kx).checked_sub(padding),
                ) else {
                    continue;
                };
                if iy < height && ix < width {
                    add(
                        ((image * channels_out + o) * out_height + oy) * out_width + ox,
                        ((image * channels_in + c) * height + iy) * width + ix,
                        ((o * channels_in + c) * kernel + ky) * kernel + kx,
                    );
                }
            }
        }
    }
    [out, input, weights]
}
