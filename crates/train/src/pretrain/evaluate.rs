//! Features of the labelled images, and how well they tell the classes apart.
//!
//! The network runs on the run's own device, in `Eval` mode; kNN and the probe run on the processor whatever the device.

use crate::config::{Config, EvalConfig};
use crate::eval::{Collapse, Features, KnnConfig, LinearConfig, LinearResult, knn, linear_probe};
use crate::sources::Sources;
use anyhow::{Context, Result};
use barlow_augment::EvalTransform;
use barlow_data::{BadImages, ImageSource, eval_pixels};
use barlow_model::ops::ModelOps;
use barlow_model::{NormMode, ResNet};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// The most images that go through the network at once; without influence on the features.
const LARGEST_CHUNK: usize = 256;

/// Accuracy of one set of features.
#[derive(Clone, Debug)]
pub struct Accuracy {
    /// kNN accuracy on the test images, in [0, 1].
    pub knn_top1: f64,
    /// The linear probe, where it was asked for.
    pub linear: Option<LinearResult>,
    /// How much of their space the test images' features use.
    pub collapse: Collapse,
}

/// Rows of representations with the images' labels.
#[derive(Clone, Debug)]
pub struct LabelledFeatures {
    /// [images, width], row by row.
    pub rows: Vec<f32>,
    /// Features of an image.
    pub width: usize,
    /// A label an image.
    pub labels: Vec<usize>,
}

/// Judges a backbone on the run's images; none where there are fewer than two classes or no test images.
///
/// # Errors
/// When an image cannot be read.
pub fn accuracy<B: ModelOps>(
    backbone: &ResNet<B>,
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
    // What fits in training fits here, and its shapes are tuned already.
    let batch = config.train.micro_batch.unwrap_or(config.train.batch_size);
    let chunk = batch.min(LARGEST_CHUNK);
    let pass = Pass {
        transform,
        chunk,
        bad_images: config.data.bad_images,
    };
    let train = features(backbone, sources.train.as_ref(), &pass, device)?;
    let test = features(backbone, test.as_ref(), &pass, device)?;
    Ok(Some(judge(
        &train,
        &test,
        sources.classes.len(),
        &config.eval,
        with_linear,
    )))
}

fn judge(
    train: &LabelledFeatures,
    test: &LabelledFeatures,
    classes: usize,
    config: &EvalConfig,
    with_linear: bool,
) -> Accuracy {
    let collapse = Collapse::of(&test.rows, test.width);
    let train = train.view(classes);
    let test = test.view(classes);
    let neighbours = knn(
        &train,
        &test,
        &KnnConfig {
            k: config.knn_k,
            temperature: config.knn_temperature,
        },
    );
    let linear = with_linear.then(|| linear_probe(&train, &test, &LinearConfig::default()));
    Accuracy {
        knn_top1: neighbours.top1,
        linear,
        collapse,
    }
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

/// How images go through the network.
struct Pass {
    transform: EvalTransform,
    /// Images at once.
    chunk: usize,
    bad_images: BadImages,
}

/// Representations of every labelled image of `source`, in its order.
fn features<B: ModelOps>(
    backbone: &ResNet<B>,
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
        // Filled up with black: a GPU tunes its kernels for every new shape, and images do not see each other here.
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

/// Pixels and labels of the images in `range`; without the bad ones where they are to be skipped.
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

/// A tensor's values, row by row.
fn to_host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .into_vec()
        .expect("converted to f32 above")
}
