//! Between images and patch matrices: `gather` (im2col) copies each pixel under each tap of the kernel into a row of its
//! own, `scatter` (col2im) adds such rows back into an image.
//!
//! Plain copies of short rows, which is why the order of the loops and the contiguous case matter. Knows nothing of
//! products.

use std::ops::Range;

use super::shape::ConvShape;

/// Writes the patches of output rows `rows` of one image into `columns`: row (c, ky, kx) holds the pixel under that tap for
/// each output pixel, zero outside the image, and starts at `(c·k² + ky·k + kx) · pitch + offset`.
///
/// `planes` holds the channels to gather, [C, H, W]. The offset is where this image's pixels lie in a row that several share.
pub(super) fn gather(
    shape: &ConvShape,
    planes: &[f32],
    rows: Range<usize>,
    columns: &mut [f32],
    pitch: usize,
    offset: usize,
) {
    let pixels = rows.len() * shape.out_width;
    let mut start = offset;
    for plane in planes.chunks_exact(shape.pixels_in()) {
        for tap in 0..shape.taps() {
            let row = &mut columns[start..start + pixels];
            let (ky, kx) = (tap / shape.kernel, tap % shape.kernel);
            let shift = [ky as isize - shape.padding, kx as isize - shape.padding];
            if shape.stride == 1 && shape.out_width == shape.width {
                gather_shifted(shape, plane, rows.clone(), shift, row);
            } else {
                gather_strided(shape, plane, rows.clone(), shift, row);
            }
            start += pitch;
        }
    }
}

/// Adds patch rows, laid out as in [`gather`], to the image they came from.
pub(super) fn scatter(
    shape: &ConvShape,
    columns: &[f32],
    pitch: usize,
    offset: usize,
    rows: Range<usize>,
    planes: &mut [f32],
) {
    let mut start = offset;
    for plane in planes.chunks_exact_mut(shape.pixels_in()) {
        for tap in 0..shape.taps() {
            let (ky, kx) = (tap / shape.kernel, tap % shape.kernel);
            let [dy, dx] = [ky as isize - shape.padding, kx as isize - shape.padding];
            let valid = inside(dx, shape.stride, shape.width, 0..shape.out_width);
            let column = &columns[start..start + rows.len() * shape.out_width];
            if valid.is_empty() {
                start += pitch;
                continue;
            }
            for y in inside(dy, shape.stride, shape.height, rows.clone()) {
                let source = &column[(y - rows.start) * shape.out_width..][valid.clone()];
                let line = ((y * shape.stride) as isize + dy) as usize * shape.width;
                let first = ((valid.start * shape.stride) as isize + dx) as usize;
                let target = plane[line..][..shape.width][first..].iter_mut().step_by(shape.stride);
                for (target, value) in target.zip(source) {
                    *target += value;
                }
            }
            start += pitch;
        }
    }
}

/// Copies images [N, C, pixels] side by side: `side_by_side` [C, N, pixels].
pub(super) fn interleave(images: &[f32], channels: usize, pixels: usize, side_by_side: &mut [f32]) {
    let pitch = images.len() / channels;
    for (index, image) in images.chunks_exact(channels * pixels).enumerate() {
        for (row, plane) in side_by_side.chunks_exact_mut(pitch).zip(image.chunks_exact(pixels)) {
            row[index * pixels..][..pixels].copy_from_slice(plane);
        }
    }
}

/// The way back: [C, N, pixels] to images [N, C, pixels].
pub(super) fn deal_out(side_by_side: &[f32], channels: usize, pixels: usize, images: &mut [f32]) {
    let pitch = images.len() / channels;
    for (index, image) in images.chunks_exact_mut(channels * pixels).enumerate() {
        for (row, plane) in side_by_side.chunks_exact(pitch).zip(image.chunks_exact_mut(pixels)) {
            plane.copy_from_slice(&row[index * pixels..][..pixels]);
        }
    }
}

/// Stride 1 and as wide out as in: the rows under a tap follow one another in memory, so one copy takes them all, and the
/// pixels that wrapped around a margin are then cleared.
fn gather_shifted(shape: &ConvShape, plane: &[f32], rows: Range<usize>, [dy, dx]: [isize; 2], out: &mut [f32]) {
    let width = shape.width;
    let valid = inside(dy, 1, shape.height, rows.clone());
    let (head, tail) = ((valid.start - rows.start) * width, (valid.end - rows.start) * width);
    out[..head].fill(0.0);
    out[tail..].fill(0.0);
    let out = &mut out[head..tail];
    if out.is_empty() {
        return;
    }
    let margin = dx.unsigned_abs().min(width);
    if margin == width {
        out.fill(0.0);
        return;
    }
    let first = (valid.start as isize + dy) as usize * width;
    if dx < 0 {
        // The first pixels of the first row would lie before this row; they are margin, and cleared below.
        let len = out.len() - margin;
        out[margin..].copy_from_slice(&plane[first..first + len]);
        clear(out, width, 0..margin);
    } else {
        let len = out.len() - margin;
        out[..len].copy_from_slice(&plane[first + margin..first + margin + len]);
        out.chunks_exact_mut(width)
            .for_each(|row| row[width - margin..].fill(0.0));
    }
}

/// Clears some columns of rows of `width`: almost always a single one, for which a call of memset a row is too dear.
fn clear(rows: &mut [f32], width: usize, columns: Range<usize>) {
    for column in columns {
        rows[column..].iter_mut().step_by(width).for_each(|value| *value = 0.0);
    }
}

fn gather_strided(shape: &ConvShape, plane: &[f32], rows: Range<usize>, [dy, dx]: [isize; 2], out: &mut [f32]) {
    let vertical = inside(dy, shape.stride, shape.height, rows.clone());
    let valid = inside(dx, shape.stride, shape.width, 0..shape.out_width);
    for (y, out) in rows.zip(out.chunks_exact_mut(shape.out_width)) {
        if !vertical.contains(&y) {
            out.fill(0.0);
            continue;
        }
        out[..valid.start].fill(0.0);
        out[valid.end..].fill(0.0);
        let line = &plane[((y * shape.stride) as isize + dy) as usize * shape.width..][..shape.width];
        if valid.is_empty() {
            continue;
        }
        let line = &line[((valid.start * shape.stride) as isize + dx) as usize..];
        let out = &mut out[valid.clone()];
        match shape.stride {
            1 => out.copy_from_slice(&line[..out.len()]),
            stride => out
                .iter_mut()
                .zip(line.iter().step_by(stride))
                .for_each(|(out, value)| *out = *value),
        }
    }
}

/// The outputs among `outputs` whose input `output · stride + shift` lies in 0..`size`; empty ranges stay inside `outputs`.
fn inside(shift: isize, stride: usize, size: usize, outputs: Range<usize>) -> Range<usize> {
    let first_not_below = |bound: isize| (bound - shift).max(0).unsigned_abs().div_ceil(stride);
    let start = first_not_below(0).clamp(outputs.start, outputs.end);
    let end = first_not_below(size as isize).clamp(start, outputs.end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::super::super::ConvGeometry;
    use super::*;

    /// `gather` against its definition, on shapes where margins exceed the image, rows are dropped, and tiles are ragged.
    #[test]
    fn patches_are_the_pixels_under_each_tap() {
        for (size, kernel, stride, padding) in [
            (5, 3, 1, 1),
            (5, 3, 2, 1),
            (1, 7, 1, 3),
            (2, 7, 1, 3),
            (7, 1, 2, 0),
            (6, 3, 1, 0),
            (3, 3, 1, 3),
            (4, 1, 3, 3),
        ] {
            let geometry = ConvGeometry { stride, padding };
            let shape = ConvShape::new([1, 2, size, size + 1], [1, 2, kernel, kernel], geometry);
            let planes: Vec<f32> = (1..=shape.image_in()).map(|i| i as f32).collect();
            for rows in [0..shape.out_height, shape.out_height / 2..shape.out_height] {
                let pixels = rows.len() * shape.out_width;
                let mut columns = vec![f32::NAN; shape.depth() * pixels];
                gather(&shape, &planes, rows.clone(), &mut columns, pixels, 0);
                for (index, value) in columns.iter().enumerate() {
                    let (row, pixel) = (index / pixels, index % pixels);
                    let (c, tap) = (row / shape.taps(), row % shape.taps());
                    let y = ((rows.start + pixel / shape.out_width) * stride + tap / kernel).checked_sub(padding);
                    let x = (pixel % shape.out_width * stride + tap % kernel).checked_sub(padding);
                    let expected = match (y, x) {
                        (Some(y), Some(x)) if y < size && x < size + 1 => planes[(c * size + y) * (size + 1) + x],
                        _ => 0.0,
                    };
                    assert_eq!(*value, expected, "{shape:?} rows {rows:?} row {row} pixel {pixel}");
                }
            }
        }
    }

    #[test]
    fn scatter_is_the_adjoint_of_gather() {
        for (size, kernel, stride, padding) in [(5, 3, 2, 1), (7, 3, 1, 1), (7, 7, 2, 3), (4, 1, 2, 0), (2, 3, 2, 3)] {
            let shape = ConvShape::new(
                [1, 2, size, size + 2],
                [1, 2, kernel, kernel],
                ConvGeometry { stride, padding },
            );
            let planes: Vec<f32> = (0..shape.image_in()).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
            let pixels = shape.pixels_out();
            let columns: Vec<f32> = (0..shape.depth() * pixels)
                .map(|i| ((i * 5) % 13) as f32 - 6.0)
                .collect();
            let mut gathered = vec![0.0; columns.len()];
            gather(&shape, &planes, 0..shape.out_height, &mut gathered, pixels, 0);
            let mut scattered = vec![0.0; planes.len()];
            scatter(&shape, &columns, pixels, 0, 0..shape.out_height, &mut scattered);
            // Small integers: both sums are exact in f32.
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            assert_eq!(dot(&gathered, &columns), dot(&planes, &scattered), "{shape:?}");
        }
    }
}
