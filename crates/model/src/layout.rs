//! Layout of parameters in exports: linear weights are transposed, all other kinds are exported unchanged.

use crate::kind::ParamKind;

impl ParamKind {
    /// Whether a parameter of this kind is exported transposed. A linear weight whose rank is not 2 can only come from a
    /// struct of another crate that is named `Linear`.
    pub(crate) fn is_transposed(self, rank: usize) -> bool {
        self == Self::Linear && rank == 2
    }
}

/// Transposes [rows, columns] to [columns, rows].
pub(crate) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    // In blocks, because a plain loop down the columns of a wide matrix has a cache miss at every value.
    const BLOCK: usize = 64;
    let mut transposed = vec![0.0; values.len()];
    for row_block in (0..rows).step_by(BLOCK) {
        for column_block in (0..columns).step_by(BLOCK) {
            for row in row_block..rows.min(row_block + BLOCK) {
                for column in column_block..columns.min(column_block + BLOCK) {
                    transposed[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    transposed
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn a_transpose_moves_every_value() {
        let (rows, columns) = (67, 131);
        let values: Vec<f32> = (0..rows * columns).map(|value| value as f32).collect();
        let transposed = transpose(&values, rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                assert_eq!(transposed[column * rows + row], values[row * columns + column]);
            }
        }
        assert_eq!(transpose(&transposed, columns, rows), values);
    }
}
