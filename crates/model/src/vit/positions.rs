//! Fixed positions: sines and cosines of a patch's row and column, as in MoCo v3.

/// The lowest frequency is its inverse (nearly).
const TEMPERATURE: f64 = 10_000.0;

/// Positions of `rows` × `columns` patches after `prefix` zeros, [prefix + rows · columns, width]: the sines and cosines of the row,
/// then those of the column, each at width / 4 frequencies from 1 to 1/10000.
///
/// MoCo v3 calls the row `w`: its `meshgrid` has the first axis first.
///
/// # Panics
/// If 4 does not divide the width.
pub(super) fn sin_cos([rows, columns]: [usize; 2], prefix: usize, width: usize) -> Vec<f32> {
    assert!(width.is_multiple_of(4), "a width of {width} is not divided by 4");
    let quarter = width / 4;
    // In f32, as torch computes it.
    let frequency = |i: usize| (1.0 / TEMPERATURE.powf(i as f64 / quarter as f64)) as f32;
    let frequencies: Vec<f32> = (0..quarter).map(frequency).collect();
    let mut values = vec![0.0; prefix * width];
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        for place in [row, column] {
            let angles = || frequencies.iter().map(|&frequency| f64::from(place as f32 * frequency));
            values.extend(angles().map(|angle| angle.sin() as f32));
            values.extend(angles().map(|angle| angle.cos() as f32));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::sin_cos;

    #[test]
    fn a_small_grid_by_hand() {
        let values = sin_cos([2, 2], 1, 8);
        assert_eq!(values.len(), 5 * 8);
        assert_eq!(values[..8], [0.0; 8]);
        assert_eq!(values[8..16], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        // Row 1, column 0: frequencies 1 and 1/100.
        let of_one = [1f64.sin(), 0.01f64.sin(), 1f64.cos(), 0.01f64.cos()];
        for (value, expected) in values[24..28].iter().zip(of_one) {
            assert!((f64::from(*value) - expected).abs() < 1e-7, "{value} {expected}");
        }
        assert_eq!(values[28..32], [0.0, 0.0, 1.0, 1.0]);
    }
}
