//! The evaluation of a network: features of the labelled images, kNN and linear-probe accuracy.
//!
//! The network runs on the run's own device, in `Eval` mode; kNN and the probe always run on the CPU.

use super::host::to_host;
use super::{Accuracy, evaluation_chunk};
use crate::config::{Config, EvalConfig};
use crate::sources::Sources;
use anyhow::{Context, Result};
use barlow_augment::EvalTransform;
use barlow_data::{BadImages, ImageSource, eval_pixels};
use barlow_eval::{
    Collapse, Features, KnnConfig, LinearConfig, knn, linear_probe, spectrum, spread_rows, unattended,
};
use barlow_model::{Backbone, Mlp, NormMode};
use barlow_ops::NormOps;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// The largest number of images whose embeddings are analysed: embeddings are wide.
const MOST_EMBEDDED: usize = 512;

/// Rows of representations with the images' labels.
#[derive(Clone, Debug)]
pub struct LabelledFeatures {
    /// [images, width], row by row.
    pub rows: Vec<f32>,
    /// Number of features per image.
    pub width: usize,
    /// One label per image.
    pub labels: Vec<usize>,
}

/// Evaluates a backbone on the run's images; `None` if there are fewer than two classes or no test images.
///
/// # Errors
/// If an image cannot be read.
pub fn accuracy<B: NormOps>(
    backbone: &impl Backbone<B>,
    projector: Option<&Mlp<B>>,
    sources: &Sources,
    config: &Config,
    with_linear: bool,
    device: &B::Device,
) -> Result<Option<Accuracy>> {
    let Some(test) = &sources.test else { return Ok(None) };
    if sources.classes.len() < 2 {
        return Ok(None);
    }
    let transform = EvalTransform::new(config.eval.resize, config.eval.crop, sources.normalization.clone())?;
    let chunk = evaluation_chunk(config);
    let pass = Pass {
        transform,
        chunk,
        bad_images: config.data.bad_images,
    };
    let train = features(backbone, sources.train.as_ref(), &pass, device)?;
    let test = features(backbone, test.as_ref(), &pass, device)?;
    let mut accuracy = scores(&train, &test, sources.classes.len(), &config.eval, with_linear)?;
    accuracy.embeddings = projector.map(|projector| {
        let (rows, width) = embeddings(projector, &test, chunk, device);
        (Collapse::of(&rows, width), spectrum(&rows, width))
    });
    Ok(Some(accuracy))
}

/// The projector's embeddings of some images' features, row by row, with their width; batches are as large as for the images.
fn embeddings<B: NormOps>(
    projector: &Mlp<B>,
    features: &LabelledFeatures,
    chunk: usize,
    device: &B::Device,
) -> (Vec<f32>, usize) {
    let (mut out, mut width) = (Vec::new(), 0);
    for rows in spread_rows(&features.rows, features.width, MOST_EMBEDDED).chunks(chunk) {
        let mut filled = rows.concat();
        filled.resize(chunk * features.width, 0.0);
        let representations = Tensor::<B, 2>::from_data(TensorData::new(filled, [chunk, features.width]), device);
        let embeddings = projector.forward(representations, NormMode::Eval);
        width = embeddings.dims()[1];
        out.extend(&to_host(embeddings)[..rows.len() * width]);
    }
    (out, width)
}

fn scores(
    train: &LabelledFeatures,
    test: &LabelledFeatures,
    classes: usize,
    config: &EvalConfig,
    with_linear: bool,
) -> Result<Accuracy> {
    let collapse = Collapse::of(&test.rows, test.width);
    let train = train.view(classes);
    let test = test.view(classes);
    let neighbours = knn(
        &train,
        &test,
        &KnnConfig::one(config.knn_k, config.knn_temperature),
        &mut unattended,
    )?;
    let linear = with_linear
        .then(|| linear_probe(&train, &test, &LinearConfig::default(), &mut unattended))
        .transpose()?;
    Ok(Accuracy {
        knn_top1: neighbours.first().top1,
        linear,
        collapse,
        embeddings: None,
    })
}

impl LabelledFeatures {
    fn view(&self, classes: usize) -> Features<'_> {
        Features {
            rows: &self.rows,
            width: self.width,
            labels: &self.labels,
            classes,
        }
    }
}

/// The settings of a forward pass over all images.
struct Pass {
    transform: EvalTransform,
    /// Batch size.
    chunk: usize,
    bad_images: BadImages,
}

/// Representations of every labelled image of `source`, in its order.
fn features<B: Backend>(
    backbone: &impl Backbone<B>,
    source: &dyn ImageSource,
    pass: &Pass,
    device: &B::Device,
) -> Result<LabelledFeatures> {
    let Pass {
        transform,
        chunk,
        bad_images,
    } = pass;
    let mut out = LabelledFeatures {
        rows: Vec::new(),
        width: 0,
        labels: Vec::new(),
    };
    for start in (0..source.len()).step_by(*chunk) {
        let range = start..source.len().min(start + chunk);
        let (mut pixels, labels) = read_chunk(source, transform, range, *bad_images)?;
        // Padded with black images: a GPU tunes its kernels for every new shape, and images do not affect each other here.
        pixels.resize(chunk * transform.values(), 0.0);
        let shape = [
            *chunk,
            transform.normalization.channels(),
            transform.crop,
            transform.crop,
        ];
        let images = Tensor::<B, 4>::from_data(TensorData::new(pixels, shape), device);
        let representations = backbone.forward(images, NormMode::Eval);
        out.width = representations.dims()[1];
        out.rows.extend(&to_host(representations)[..labels.len() * out.width]);
        out.labels.extend(labels);
    }
    Ok(out)
}

/// Pixels and labels of the images in `range`, without bad ones if these are skipped.
fn read_chunk(
    source: &dyn ImageSource,
    transform: &EvalTransform,
    range: Range<usize>,
    bad_images: BadImages,
) -> Result<(Vec<f32>, Vec<usize>)> {
    let label = |index| source.label(index).context("a set with classes has labels");
    match eval_pixels(source, transform, range.clone()) {
        Ok(pixels) => return Ok((pixels, range.map(label).collect::<Result<_>>()?)),
        Err(error) if bad_images == BadImages::Skip && error.is_bad_image() => {}
        Err(error) => return Err(error.into()),
    }
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for index in range {
        match eval_pixels(source, transform, index..index + 1) {
            Ok(row) => {
                pixels.extend(row);
                labels.push(label(index)?);
            }
            Err(error) if error.is_bad_image() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((pixels, labels))
}
