//! Column sums over the rows of a block: in f32 over a few rows, in f64 across them. The order depends only on the number of
//! rows.

/// Number of rows summed in f32 before the sum continues in f64.
const RUN: usize = 16;

/// Sums of `width` columns.
pub(super) struct ColumnSums {
    run: Vec<f32>,
    total: Vec<f64>,
    rows: usize,
}

impl ColumnSums {
    pub fn new(width: usize) -> Self {
        Self {
            run: vec![0.0; width],
            total: vec![0.0; width],
            rows: 0,
        }
    }

    /// Adds a row.
    #[inline(always)]
    pub fn add(&mut self, row: &[f32]) {
        self.run.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        self.count();
    }

    /// Adds the products of two rows.
    #[inline(always)]
    pub fn add_products(&mut self, a: &[f32], b: &[f32]) {
        self.run
            .iter_mut()
            .zip(a)
            .zip(b)
            .for_each(|((sum, a), b)| *sum += a * b);
        self.count();
    }

    #[inline(always)]
    fn count(&mut self) {
        self.rows += 1;
        if self.rows == RUN {
            self.flush();
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        for (total, run) in self.total.iter_mut().zip(&mut self.run) {
            *total += f64::from(*run);
            *run = 0.0;
        }
        self.rows = 0;
    }

    /// Returns the sums divided by `count` and resets them to zero.
    pub fn means(&mut self, count: usize) -> impl Iterator<Item = f64> {
        self.flush();
        self.total
            .iter_mut()
            .map(move |total| std::mem::take(total) / count as f64)
    }
}
