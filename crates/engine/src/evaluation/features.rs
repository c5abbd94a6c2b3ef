//! Features of a set's images: a forward pass over all of them, in their order.

use super::feature_cache::{CachedFeatures, FeatureCache};
use super::layer::FeatureLayer;
use super::network::{Network, Rows};
use super::watch::{EvaluationError, Watch};
use crate::config::Config;
use anyhow::{Context, Result, bail};
use barlow_augment::{EvalTransform, Normalization};
use barlow_data::{BadImages, ImageSource, eval_pixels};
use barlow_eval::Features;
use std::ops::Range;
use std::sync::Arc;

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

    /// Checks that no feature of the images that `which` names is NaN or infinite.
    ///
    /// # Errors
    /// With the first one that is.
    pub fn check_finite(&self, which: &str) -> Result<()> {
        match self.rows.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(at) => bail!(
                "feature {} of {which} image {} is {}: the network has diverged, or the weights are damaged",
                at % self.width,
                at / self.width,
                self.rows[at]
            ),
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

/// How features are taken, where the config does not say it.
#[derive(Clone, Debug, Default)]
pub struct FeatureOptions {
    /// Which values.
    pub layer: FeatureLayer,
    /// Resize images to the square, whatever their proportions are, instead of cutting it out.
    pub squash: bool,
    /// Where features are kept for other evaluations of the same network.
    pub cache: Option<Arc<FeatureCache>>,
}

impl FeatureOptions {
    /// How images become squares: `crop` or `squash`.
    pub fn resized(&self) -> &'static str {
        if self.squash { "squash" } else { "crop" }
    }
}

/// The settings of a forward pass over a set.
#[derive(Clone, Debug)]
pub struct FeaturePass {
    transform: EvalTransform,
    /// Batch size.
    pub(super) chunk: usize,
    bad_images: BadImages,
    layer: FeatureLayer,
    cache: Option<Arc<FeatureCache>>,
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
            layer: FeatureLayer::Pooled,
            cache: None,
        })
    }

    /// With other options than the default ones.
    #[must_use]
    pub fn with(mut self, options: &FeatureOptions) -> Self {
        self.transform = self.transform.with_squash(options.squash);
        self.layer = options.layer;
        self.cache = options.cache.clone();
        self
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
        let key = |cache: &Arc<FeatureCache>| cache.key(source, &self.transform, self.layer);
        let Some((cache, key)) = self.cache.as_ref().and_then(|cache| Some((cache, key(cache)?))) else {
            return self.compute(network, source, which, watch, take);
        };
        if let Some(CachedFeatures { images, rows }) = cache.read(&key) {
            watch
                .console
                .line(&format!("evaluation  the features of the {which} images are cached"));
            let mut phase = watch.phase(format!("reading the features of the {which} images"), images.len());
            for (at, images) in images.chunks(self.chunk).enumerate() {
                phase.at(at * self.chunk)?;
                let start = at * self.chunk * rows.width;
                let values = rows.values[start..start + images.len() * rows.width].to_vec();
                take(Chunk {
                    images: images.to_vec(),
                    rows: Rows {
                        values,
                        width: rows.width,
                    },
                })?;
            }
            return Ok(());
        }
        let mut all = CachedFeatures {
            images: Vec::new(),
            rows: Rows::default(),
        };
        let mut is_small = true;
        self.compute(network, source, which, watch, &mut |chunk| {
            is_small &= FeatureCache::takes(all.rows.values.len() + chunk.rows.values.len());
            if is_small {
                all.images.extend(&chunk.images);
                all.rows.values.extend(&chunk.rows.values);
                all.rows.width = chunk.rows.width;
            } else {
                // Too large to be cached, so not held either.
                all.rows.values = Vec::new();
            }
            take(chunk)
        })?;
        if is_small {
            cache.write(&key, source.len(), &all);
        }
        Ok(())
    }

    /// [`FeaturePass::run`] by the network.
    fn compute(
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
            let mut rows = network.features(pixels, shape, self.layer)?;
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
