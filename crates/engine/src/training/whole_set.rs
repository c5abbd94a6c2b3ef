//! A pass over the whole training set for a method: every image once, in training mode, without gradients.

use super::TrainBackbone;
use crate::backend::TrainBackend;
use crate::evaluation::{EvaluationError, Phase, to_host};
use crate::method::WholeSet;
use barlow_data::ViewLoader;
use barlow_model::{Backbone, Model, NormMode};
use std::ops::Range;

/// The bit of the keys of these passes, which no epoch has: their views and orders differ from those of the epochs.
const KEY: u64 = 1 << 63;

/// The inputs of the projector's last layer for every image, `part` images of a batch at a time; `step` is the number of the
/// coming step, which decides views and order. Updates the running statistics of `model`.
///
/// # Errors
/// [`EvaluationError`] if an image cannot be read, or the run should stop.
pub(super) fn whole_set<B: TrainBackend, M: TrainBackbone<B>>(
    model: &Model<B::InnerBackend, M::InnerModule>,
    loader: &ViewLoader,
    (step, part): (u64, usize),
    phase: &mut Phase<'_>,
    device: &B::Device,
) -> Result<WholeSet, EvaluationError> {
    let projector = &model.heads.projector;
    let mut set = WholeSet::new(loader.source().len(), projector.hidden_width());
    let mut done = 0;
    for batch in loader.whole_set(KEY | step) {
        let batch = batch.map_err(anyhow::Error::from)?;
        for rows in parts(batch.n, part) {
            phase.at(done)?;
            let images = batch.rows_to_device::<B::InnerBackend>(0, rows.clone(), device);
            let representations = model.backbone.forward(images, NormMode::Train);
            let hidden = projector.forward_hidden(representations, NormMode::Train);
            done += rows.len();
            set.put(&batch.indices[rows], &to_host(hidden));
        }
    }
    phase.at(done)?;
    Ok(set)
}

/// Ranges of `part` rows. A single row that would be left over belongs to the last range: it has no batch statistics alone.
fn parts(n: usize, part: usize) -> Vec<Range<usize>> {
    let count = (n / part + usize::from(n % part >= 2)).max(1);
    let end = |number: usize| if number == count { n } else { number * part };
    (0..count).map(|number| end(number)..end(number + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_lost_and_none_is_alone() {
        assert_eq!(parts(9, 4), [0..4, 4..9]);
        assert_eq!(parts(10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(parts(8, 4), [0..4, 4..8]);
        assert_eq!(parts(3, 8), [std::ops::Range { start: 0, end: 3 }]);
        assert_eq!(parts(9, 8), [std::ops::Range { start: 0, end: 9 }]);
    }
}
