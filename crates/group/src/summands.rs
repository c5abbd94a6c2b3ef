//! The operand of a sum over all ranks.

/// Values that are replaced by their sums over all ranks.
#[derive(Debug)]
pub enum Summands<'a> {
    /// Gradients and other tensors.
    F32(&'a mut [f32]),
    /// Statistics, whose differences matter.
    F64(&'a mut [f64]),
    /// Counts and flags; wraps around at 2⁶⁴.
    U64(&'a mut [u64]),
}

impl Summands<'_> {
    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::U64(values) => values.len(),
        }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a mut [f32]> for Summands<'a> {
    fn from(values: &'a mut [f32]) -> Self {
        Self::F32(values)
    }
}

impl<'a> From<&'a mut [f64]> for Summands<'a> {
    fn from(values: &'a mut [f64]) -> Self {
        Self::F64(values)
    }
}

impl<'a> From<&'a mut [u64]> for Summands<'a> {
    fn from(values: &'a mut [u64]) -> Self {
        Self::U64(values)
    }
}
