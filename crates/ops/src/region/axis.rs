//! The weights of RoIAlign along one axis.
//!
//! Sampling, clamping and averaging are separable, so a region is cut out by one matrix along the rows and one along the columns. This
//! is torchvision's `roi_align(.., sampling_ratio=0, aligned=True)`: an adaptive number of samples, no smallest size.

/// Longest region, in pixels of the features.
pub(super) const MAX_LENGTH: f64 = 1e6;

/// How much of each pixel of an axis is in each bin, [bins, size], for a region between `ends` in pixels of the features.
pub(super) fn axis_weights([start, end]: [f64; 2], size: usize, bins: usize) -> Vec<f32> {
    let mut weights = vec![0f64; bins * size];
    let (start, length) = (start - 0.5, end - start);
    // One sample for each begun pixel of a bin; none for a region without length.
    let samples = (length / bins as f64).ceil().max(0.0) as usize;
    let (bin_length, last) = (length / bins as f64, size - 1);
    for bin in 0..bins {
        let row = &mut weights[bin * size..][..size];
        for sample in 0..samples {
            let x = start + bin as f64 * bin_length + (sample as f64 + 0.5) * bin_length / samples as f64;
            if x < -1.0 || x > size as f64 {
                continue;
            }
            let x = x.max(0.0);
            let share = 1.0 / samples as f64;
            match x as usize {
                left if left >= last => row[last] += share,
                left => {
                    let right = x - left as f64;
                    row[left] += (1.0 - right) * share;
                    row[left + 1] += right * share;
                }
            }
        }
    }
    weights.into_iter().map(|weight| weight as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_of_whole_pixels_averages_them() {
        // Pixels 1 to 4 in two bins: samples at their middles.
        let weights = axis_weights([1.0, 5.0], 6, 2);
        assert_eq!(weights[..6], [0.0, 0.5, 0.5, 0.0, 0.0, 0.0]);
        assert_eq!(weights[6..], [0.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
    }

    #[test]
    fn outside_is_zero_near_the_border_its_pixel() {
        assert_eq!(axis_weights([-3.0, -1.0], 3, 2), [0.0; 6]);
        assert_eq!(axis_weights([-1.0, 0.0], 3, 1), [1.0, 0.0, 0.0]);
        assert_eq!(axis_weights([3.0, 4.0], 3, 1), [0.0, 0.0, 1.0]);
        assert_eq!(axis_weights([4.0, 5.0], 3, 1), [0.0; 3]);
        assert_eq!(axis_weights([2.0, 2.0], 3, 2), [0.0; 6]);
        assert_eq!(axis_weights([2.0, 1.0], 3, 2), [0.0; 6]);
        assert_eq!(axis_weights([0.0, 1.0], 1, 1), [1.0]);
    }
}
