//! Colour planes to the interleaved bytes that the colour operations want. This file must not know formats.

/// `[r.., g.., b..]` to `[r, g, b, ..]`.
///
/// # Panics
/// If the bytes are not three planes.
pub(crate) fn interleave(planes: &[u8]) -> Vec<u8> {
    assert_eq!(planes.len() % 3, 0, "{} bytes are not three planes", planes.len());
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(red.len());
    let mut pixels = vec![0; planes.len()];
    for (pixel, ((&r, &g), &b)) in pixels.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
        pixel.copy_from_slice(&[r, g, b]);
    }
    pixels
}
