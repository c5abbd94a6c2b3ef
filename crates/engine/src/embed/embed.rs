//! Computes the features of every image of a set and writes them as they come.

use super::writer::{FeatureRow, FeatureWriter};
use crate::evaluation::{EvaluationError, FeaturePass, Network, Rows, Watch};
use anyhow::Context;
use barlow_data::ImageSource;
use std::path::PathBuf;

/// Which output of the network the features are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layer {
    /// The backbone's output, which probes use.
    #[default]
    Representation,
    /// The projector's output, which the loss uses.
    Embedding,
}

/// What to compute.
pub struct EmbedRequest<'a> {
    /// The network; with its projector for [`Layer::Embedding`].
    pub network: &'a dyn Network,
    /// Its output.
    pub layer: Layer,
    /// The images, in the order of the rows.
    pub images: &'a dyn ImageSource,
    /// How their pixels are prepared.
    pub pass: FeaturePass,
    /// Where progress is reported, and what stops it.
    pub watch: Watch<'a>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Images with features.
    pub rows: usize,
    /// Images without, because they could not be decoded.
    pub skipped: usize,
    /// Values per row.
    pub width: usize,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// Writes the features of all images in their order; `writer` makes the file once the width is known.
///
/// # Errors
/// If an image cannot be read, a file cannot be written, or it should stop; then no file is left.
pub fn embed(
    request: &EmbedRequest<'_>,
    writer: &mut dyn FnMut(usize) -> anyhow::Result<Box<dyn FeatureWriter>>,
) -> Result<Embedded, EvaluationError> {
    let EmbedRequest {
        network,
        layer,
        images,
        pass,
        watch,
    } = request;
    let classes = images.classes();
    let (mut out, mut rows_written, mut width) = (None, 0, 0);
    pass.run(*network, *images, "data set's", watch, &mut |chunk| {
        let rows = match layer {
            Layer::Representation => chunk.rows,
            Layer::Embedding => padded(*network, chunk.rows, chunk.images.len(), pass.batch())?,
        };
        width = rows.width;
        let out: &mut Box<dyn FeatureWriter> = match &mut out {
            Some(out) => out,
            none => none.insert(writer(width)?),
        };
        let row = |&image: &usize| FeatureRow {
            path: images.name(image),
            classes: images
                .labels(image)
                .iter()
                .map(|&class| classes[class].clone())
                .collect(),
        };
        let named: Vec<FeatureRow> = chunk.images.iter().map(row).collect();
        rows_written += named.len();
        out.append(&named, &rows.values)
    })?;
    let out: Box<dyn FeatureWriter> = out.context("the data set has no image")?;
    Ok(Embedded {
        rows: rows_written,
        skipped: images.len() - rows_written,
        width,
        files: out.finish()?,
    })
}

/// The embeddings of `count` rows, in a batch of constant size: a GPU tunes its kernels for every new shape.
fn padded(network: &dyn Network, mut rows: Rows, count: usize, batch: usize) -> anyhow::Result<Rows> {
    rows.values.resize(batch * rows.width, 0.0);
    let mut embeddings = network.embeddings(rows).context("the weights have no projector")?;
    embeddings.values.truncate(count * embeddings.width);
    Ok(embeddings)
}
