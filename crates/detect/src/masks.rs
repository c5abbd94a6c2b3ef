//! Targets of the mask head, and its predictions as masks of the image.

use barlow_eval::{MaskError, Rle};

use crate::boxes::Corners;

/// The target of one region: a value per bin, row by row.
pub type MaskTarget = Vec<bool>;

/// The part of an object's polygons within a box, as `bins` × `bins` values: the polygons are shifted and scaled into the box, then filled
/// by COCO's rule.
///
/// # Errors
/// If a polygon cannot be filled, such as one far outside a tiny box.
pub fn polygon_target(polygons: &[Vec<f64>], corners: &Corners, bins: usize) -> Result<MaskTarget, MaskError> {
    let [x1, y1, x2, y2] = corners.map(f64::from);
    let side = |length: f64| bins as f64 / length.max(0.1);
    let (across, down) = (side(x2 - x1), side(y2 - y1));
    let shifted = polygons.iter().map(|polygon| {
        let numbers = polygon.iter().enumerate();
        let shifted = numbers.map(|(at, value)| match at % 2 {
            0 => (value - x1) * across,
            _ => (value - y1) * down,
        });
        shifted.collect::<Vec<f64>>()
    });
    Ok(Rle::from_polygons(bins, bins, &shifted.collect::<Vec<_>>())?.to_mask())
}

/// The part of a mask of `size` (height and width), row by row, within a box of the same pixels, as `bins` × `bins` values: the mean of
/// bilinear samples of each bin is at least one half, as detectron2 cuts bit masks by RoIAlign.
///
/// # Panics
/// If there is not one value per pixel.
pub(crate) fn pixel_target(mask: &[bool], size: [usize; 2], corners: &[f64; 4], bins: usize) -> MaskTarget {
    let [height, width] = size;
    assert_eq!(mask.len(), height * width, "a mask of {size:?}");
    let [x1, y1, x2, y2] = *corners;
    let (rows, columns) = (bin_taps([y1, y2], bins, height), bin_taps([x1, x2], bins, width));
    let mut target = Vec::with_capacity(bins * bins);
    for row in &rows {
        for column in &columns {
            let of_row = |&(y, down): &(usize, f64)| {
                let on = column.iter().filter(|&&(x, _)| mask[y * width + x]);
                down * on.map(|&(_, across)| across).sum::<f64>()
            };
            target.push(row.iter().map(of_row).sum::<f64>() >= 0.5);
        }
    }
    target
}

/// The pixels of each bin along one axis with their weights, as RoIAlign's (aligned, as many samples as a bin has pixels).
fn bin_taps([start, end]: [f64; 2], bins: usize, pixels: usize) -> Vec<Vec<(usize, f64)>> {
    let side = (end - start) / bins as f64;
    let samples = side.ceil().clamp(0.0, pixels as f64 + 2.0) as usize;
    let last = pixels as f64 - 1.0;
    let of_bin = |bin: usize| {
        let mut taps = Vec::new();
        for sample in 0..samples {
            let at = start - 0.5 + (bin as f64 + (sample as f64 + 0.5) / samples as f64) * side;
            if !(at >= -1.0 && at <= pixels as f64) {
                continue;
            }
            let at = at.clamp(0.0, last);
            let left = at.floor();
            let weight = 1.0 / samples as f64;
            taps.push((left as usize, weight * (left + 1.0 - at)));
            if at > left {
                taps.push((left as usize + 1, weight * (at - left)));
            }
        }
        taps
    };
    (0..bins).map(of_bin).collect()
}

/// Pastes probabilities, `bins` × `bins` row by row, into an image of `size` (height and width): bilinear at the middles of pixels, zero
/// outside, an object from one half.
///
/// # Panics
/// If there are not `bins`² probabilities.
pub fn paste_mask(probabilities: &[f32], bins: usize, corners: &Corners, size: [usize; 2]) -> Vec<bool> {
    assert_eq!(
        probabilities.len(),
        bins * bins,
        "probabilities of {bins} x {bins} bins"
    );
    let [height, width] = size;
    let [x1, y1, x2, y2] = corners.map(f64::from);
    let taps = |start: f64, end: f64, pixels: usize| -> Vec<[(usize, f64); 2]> {
        let of_pixel = |pixel: usize| {
            let at = (pixel as f64 + 0.5 - start) / (end - start) * bins as f64 - 0.5;
            let left = at.floor();
            [(left, left + 1.0 - at), (left + 1.0, at - left)].map(|(bin, weight)| {
                // A NaN, of a box without extent, is outside too.
                match bin >= 0.0 && bin < bins as f64 {
                    true => (bin as usize, weight),
                    false => (0, 0.0),
                }
            })
        };
        (0..pixels).map(of_pixel).collect()
    };
    let (rows, columns) = (taps(y1, y2, height), taps(x1, x2, width));
    let mut mask = vec![false; height * width];
    for (y, row) in rows.iter().enumerate() {
        if row.iter().all(|&(_, weight)| weight == 0.0) {
            continue;
        }
        for (x, column) in columns.iter().enumerate() {
            let mut value = 0.0;
            for &(bin_y, down) in row {
                for &(bin_x, across) in column {
                    value += down * across * f64::from(probabilities[bin_y * bins + bin_x]);
                }
            }
            mask[y * width + x] = value >= 0.5;
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of detectron2's `rasterize_polygons_within_box` (pycocotools).
    #[test]
    fn targets_are_detectron2s() {
        let polygon = vec![70.0, 40.0, 100.0, 44.5, 95.3, 80.0, 72.0, 78.0];
        let corners = [70.3, 38.9, 101.2, 81.4];
        for (bins, area, runs) in [
            (14, 145, "0874K000000000000000010N1Jb0"),
            (28, 585, "18d0?A2N00000001O00000000000001O01O0000000000000K5K5J7Jm0"),
        ] {
            let target = polygon_target(std::slice::from_ref(&polygon), &corners, bins).unwrap();
            assert_eq!(target.iter().filter(|&&pixel| pixel).count(), area);
            assert_eq!(Rle::from_mask(bins, bins, &target).unwrap().to_compressed(), runs);
        }
        assert!(polygon_target(&[vec![0.0; 4]], &corners, 14).is_err());
    }

    /// Values of torchvision's `roi_align(mask, boxes, 14, 1.0, 0, True) >= 0.5`: how many, the sum of their indices, the first and the last.
    #[test]
    fn pixels_are_cut_as_by_detectron2() {
        let (height, width) = (20i64, 30i64);
        let inside = |at: i64| {
            let (y, x) = (at / width, at % width);
            (y - 9).pow(2) * 3 + (x - 13).pow(2) * 2 < 220 || (x > 22 && y > 12)
        };
        let mask: Vec<bool> = (0..height * width).map(inside).collect();
        for (corners, expected) in [
            ([3.3, 2.1, 24.7, 18.2], [166, 15_858, 2, 195]),
            ([10.0, 5.0, 14.0, 8.5], [196, 19_110, 0, 195]),
            ([20.5, 10.2, 30.0, 20.0], [130, 13_947, 0, 195]),
        ] {
            let target = pixel_target(&mask, [20, 30], &corners, 14);
            let on: Vec<usize> = (0..target.len()).filter(|&at| target[at]).collect();
            let found = [on.len(), on.iter().sum(), on[0], on[on.len() - 1]];
            assert_eq!(found, expected, "{corners:?}");
        }
        assert_eq!(pixel_target(&mask, [20, 30], &[5.0; 4], 14), [false; 196]);
    }

    /// Values of torch's `grid_sample`, as detectron2's `paste_masks_in_image` calls it.
    #[test]
    fn masks_are_pasted_as_by_detectron2() {
        let cases: [(usize, Corners, [usize; 2], [usize; 4]); 6] = [
            (14, [10.3, 5.7, 50.9, 37.2], [48, 64], [609, 6, 36, 832_099]),
            (14, [-8.0, -3.5, 20.0, 30.0], [40, 40], [297, 0, 29, 169_199]),
            (14, [60.0, 40.0, 63.0, 41.0], [48, 64], [1, 40, 40, 2621]),
            (28, [10.3, 5.7, 50.9, 37.2], [48, 64], [622, 6, 36, 852_758]),
            (28, [-8.0, -3.5, 20.0, 30.0], [40, 40], [299, 0, 29, 169_678]),
            (28, [60.0, 40.0, 63.0, 41.0], [48, 64], [2, 40, 40, 5241]),
        ];
        for (bins, corners, size, expected) in cases {
            let probability = |at: usize| {
                let [y, x] = [at / bins, at % bins].map(|bin| bin as f64 * 28.0 / bins as f64);
                let logit = 4.0 * (0.25 * (y - 13.0)).cos() * (0.2 * (x - 12.0)).cos();
                (1.0 / (1.0 + (-logit).exp())) as f32
            };
            let probabilities: Vec<f32> = (0..bins * bins).map(probability).collect();
            let mask = paste_mask(&probabilities, bins, &corners, size);
            let on: Vec<usize> = (0..mask.len()).filter(|&at| mask[at]).collect();
            let row = |at: Option<&usize>| at.unwrap() / size[1];
            let found = [on.len(), row(on.first()), row(on.last()), on.iter().sum()];
            assert_eq!(found, expected, "{bins} bins, {corners:?}");
        }
    }
}
