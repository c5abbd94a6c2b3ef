//! Evaluation pixels of a range of images, in order. No randomness.
//!
//! This file must not know what is evaluated.

use std::ops::Range;

use barlow_augment::EvalTransform;
use rayon::prelude::*;

use crate::{DataError, ImageSource};

/// The images `range` of the source as normalised `[n, channels, crop, crop]`, in parallel on the current rayon pool. A
/// bad image is an error here, because rows must stay aligned with labels: drop bad images beforehand
/// ([`crate::DecodedSet`], [`crate::Subset`]).
///
/// # Errors
/// The error of the first image (by its number) that cannot be loaded.
///
/// # Panics
/// If the range is not within the source.
pub fn eval_pixels(
    source: &dyn ImageSource,
    transform: &EvalTransform,
    range: Range<usize>,
) -> Result<Vec<f32>, DataError> {
    assert!(
        range.start <= range.end && range.end <= source.len(),
        "images {range:?} of a set of {}",
        source.len()
    );
    let values = transform.values();
    let mut pixels = vec![0.0; range.len() * values];
    let rows = pixels.par_chunks_mut(values).zip(range);
    let results: Vec<Result<(), DataError>> = rows
        .map(|(row, index)| {
            transform.apply(&*source.image(index)?, row);
            Ok(())
        })
        .collect();
    results.into_iter().collect::<Result<(), DataError>>()?;
    Ok(pixels)
}
