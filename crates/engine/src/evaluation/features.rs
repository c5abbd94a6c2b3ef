//! Features of a set's images: a forward pass over all of them, in their order.

use super::watch::{EvaluationError, Watch};
use super::{Network, Rows};
use crate::config::Config;
use anyhow::{Context, Result};
use barlow_augment::{EvalTransform, Normalization};
use barlow_data::{BadImages, ImageSource, eval_pixels};
use barlow_eval::Features;
use std::ops::Range;

/// Rows of representations with the images' labels.
#[derive(Clone, Debug, Default)]
pub struct LabelledFeatures {
    /// [images, width], row by row.
    pub rows: Vec<f32>,
    /// Number of features per image.
    pub width: usize,
    /// One label per image.
    pub labels: Vec<usize>,
    /// The number of each image in its set: images that cannot be decoded may be skipped.
    pub images: Vec<usize>,
}

impl LabelledFeatures {
    /// The features as the evaluation functions take them.
    pub fn view(&self, classes: usize) -> Features<'_> {
        Features {
            rows: &self.rows,
            width: self.width,
            labels: &self.labels,
            classes,
        }
    }

    /// The rows of some of the images.
    pub fn part(&self, images: &[usize]) -> Self {
        let row = |&image: &usize| &self.rows[image * self.width..(image + 1) * self.width];
        Self {
            rows: images.iter().flat_map(row).copied().collect(),
            width: self.width,
            labels: images.iter().map(|&image| self.labels[image]).collect(),
            images: images.iter().map(|&image| self.images[image]).collect(),
        }
    }
}

/// The settings of a forward pass over a set.
#[derive(Clone, Debug)]
pub struct FeaturePass {
    transform: EvalTransform,
    /// Batch size.
    pub(super) chunk: usize,
    bad_images: BadImages,
}

/// Some images' features.
pub struct Chunk {
    /// Indices of the images in their set; unusable ones are missing if they are skipped.
    pub images: Vec<usize>,
    /// Their representations.
    pub rows: Rows,
}

impl FeaturePass {
    /// The pass that the config's `eval` section describes.
    ///
    /// # Errors
    /// If the section is invalid.
    pub fn new(config: &Config, normalization: Normalization) -> Result<Self> {
        Ok(Self {
            transform: EvalTransform::new(config.eval.resize, config.eval.crop, normalization)?,
            chunk: super::evaluation_chunk(config),
            bad_images: config.data.bad_images,
        })
    }

    /// Images per batch.
    pub fn batch(&self) -> usize {
        self.chunk
    }

    /// Passes the representations of the images of `source` to `take`, chunk by chunk in their order. `which` names the images
    /// in messages, such as "training".
    ///
    /// # Errors
    /// If an image cannot be read, `take` fails, or the evaluation should stop.
    pub fn run(
        &self,
        network: &dyn Network,
        source: &dyn ImageSource,
        which: &str,
        watch: &Watch<'_>,
        take: &mut dyn FnMut(Chunk) -> Result<()>,
    ) -> Result<(), EvaluationError> {
        let Self { transform, chunk, .. } = self;
        let mut phase = watch.phase(format!("extracting the features of the {which} images"), source.len());
        for start in (0..source.len()).step_by(*chunk) {
            phase.at(start)?;
            let range = start..source.len().min(start + chunk);
            let (mut pixels, images) = self.pixels(source, range)?;
            // Padded with black images: a GPU tunes its kernels for every new shape, and images do not affect each other here.
            pixels.resize(chunk * transform.values(), 0.0);
            let shape = [
                *chunk,
                transform.normalization.channels(),
                transform.crop,
                transform.crop,
            ];
            let mut rows = network.representations(pixels, shape);
            rows.values.truncate(images.len() * rows.width);
            take(Chunk { images, rows })?;
        }
        Ok(())
    }

    /// Representations and labels of the images of `source`, in their order.
    ///
    /// # Errors
    /// As for [`FeaturePass::run`].
    pub fn labelled(
        &self,
        network: &dyn Network,
        source: &dyn ImageSource,
        which: &str,
        watch: &Watch<'_>,
    ) -> Result<LabelledFeatures, EvaluationError> {
        let mut out = LabelledFeatures::default();
        self.run(network, source, which, watch, &mut |chunk| {
            out.width = chunk.rows.width;
            out.rows.extend(&chunk.rows.values);
            for index in chunk.images {
                out.labels
                    .push(source.label(index).context("a set with classes has labels")?);
                out.images.push(index);
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Pixels of the images in `range`, and which they are: without bad ones if these are skipped.
    fn pixels(&self, source: &dyn ImageSource, range: Range<usize>) -> Result<(Vec<f32>, Vec<usize>)> {
        match eval_pixels(source, &self.transform, range.clone()) {
            Ok(pixels) => return Ok((pixels, range.collect())),
            Err(error) if self.bad_images == BadImages::Skip && error.is_bad_image() => {}
            Err(error) => return Err(error.into()),
        }
        let (mut pixels, mut images) = (Vec::new(), Vec::new());
        for index in range {
            match eval_pixels(source, &self.transform, index..index + 1) {
                Ok(row) => {
                    pixels.extend(row);
                    images.push(index);
                }
                Err(error) if error.is_bad_image() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok((pixels, images))
    }
}
