//! Classification of images with several labels: one SVM per class on frozen features, as VISSL evaluates VOC07.

use super::Network;
use super::features::{FeatureOptions, FeaturePass};
use super::watch::{EvaluationError, Watch};
use crate::config::Config;
use crate::sources::Sources;
use anyhow::Context;
use barlow_data::ImageSource;
use barlow_eval::{Features, Presence, SvmConfig, SvmResult, linear_svm};

/// Fits the SVMs on the training images' representations and ranks the test images.
///
/// # Errors
/// If there are no test images, an image cannot be read, or it should stop.
pub fn multi_label_svm(
    network: &dyn Network,
    sources: &Sources,
    config: &Config,
    svm: &SvmConfig,
    features: &FeatureOptions,
    watch: &Watch<'_>,
) -> Result<SvmResult, EvaluationError> {
    let test = sources.test.as_ref().context("there are no test images")?;
    let pass = FeaturePass::new(config, sources.normalization.clone())?.with(features);
    let train = Shown::of(network, sources.train.as_ref(), "training", &pass, watch)?;
    let test = Shown::of(network, test.as_ref(), "test", &pass, watch)?;
    let mut phase = watch.phase("training support vector machines".to_owned(), 0);
    let result = linear_svm(
        &train.view(),
        &train.presence,
        &test.view(),
        &test.presence,
        svm,
        &mut |progress| phase.control(progress),
    );
    result.map_err(|error| phase.error(error))
}

/// Features of images, and what each shows.
struct Shown {
    rows: Vec<f32>,
    width: usize,
    /// Not used by SVMs, but a part of [`Features`].
    labels: Vec<usize>,
    classes: usize,
    /// [images, classes].
    presence: Vec<Presence>,
}

impl Shown {
    fn of(
        network: &dyn Network,
        source: &dyn ImageSource,
        which: &str,
        pass: &FeaturePass,
        watch: &Watch<'_>,
    ) -> Result<Self, EvaluationError> {
        let classes = source.classes().len();
        let mut shown = Self {
            rows: Vec::new(),
            width: 0,
            labels: Vec::new(),
            classes,
            presence: Vec::new(),
        };
        pass.run(network, source, which, watch, &mut |chunk| {
            shown.width = chunk.rows.width;
            shown.rows.extend(&chunk.rows.values);
            for image in chunk.images {
                let mut presence = vec![Presence::Absent; classes];
                for class in source.difficult(image) {
                    presence[class] = Presence::Difficult;
                }
                for class in source.labels(image) {
                    presence[class] = Presence::Present;
                }
                shown.presence.extend(presence);
                shown.labels.push(0);
            }
            Ok(())
        })?;
        Ok(shown)
    }

    fn view(&self) -> Features<'_> {
        Features {
            rows: &self.rows,
            width: self.width,
            labels: &self.labels,
            classes: self.classes,
        }
    }
}
