//! A run of one rank.

use crate::{Group, GroupError, Place, Summands};
use std::sync::Arc;

/// The only rank: sums and gathered rows are its own.
#[derive(Clone, Debug)]
pub struct Alone(Place);

impl Default for Alone {
    fn default() -> Self {
        Self(Place::alone())
    }
}

impl Group for Alone {
    fn place(&self) -> &Place {
        &self.0
    }

    fn sum(&self, _: Summands<'_>) -> Result<(), GroupError> {
        Ok(())
    }

    fn gather(&self, own: &[f32], counts: &[usize]) -> Result<Vec<f32>, GroupError> {
        self.0.assert_counts(own.len(), counts);
        Ok(own.to_vec())
    }

    fn broadcast(&self, _: &mut Vec<u8>) -> Result<(), GroupError> {
        Ok(())
    }

    fn node(&self) -> Arc<dyn Group> {
        Arc::new(self.clone())
    }
}
