//! [`DatasetSource`], a Burn `Dataset` as a set of images: a closure turns its items into images.
//!
//! This file must not know what the items are.

use std::marker::PhantomData;
use std::sync::Arc;

use barlow_augment::Image8;
use burn_dataset::Dataset;

use super::SetError;
use crate::{DataError, ImageSource};

/// The result of a conversion: the image and, if the item has one, its label; or a one-line error.
pub type ConvertedItem = Result<(Image8, Option<usize>), String>;

/// A [`Dataset`] with items of any type, as a set of images.
///
/// ```
/// use barlow_augment::{Image8, RgbImage8};
/// use barlow_data::{DatasetSource, ImageSource};
/// use burn_dataset::InMemDataset;
///
/// // Items of any kind: here a brightness and a class.
/// let dataset = InMemDataset::new(vec![(10_u8, 0_usize), (200, 1)]);
/// let source = DatasetSource::new(dataset, 3, |(grey, label)| {
///     Ok((Image8::from(RgbImage8::from_fn(4, 4, |_, _| [grey; 3])), Some(label)))
/// });
/// let source = source.with_labels_of_items(vec!["dark".into(), "light".into()])?;
/// assert_eq!((source.len(), source.label(1)), (2, Some(1)));
/// # Ok::<(), barlow_data::DataError>(())
/// ```
pub struct DatasetSource<D, I, F> {
    dataset: D,
    len: usize,
    channels: usize,
    convert: F,
    labels: Option<Vec<usize>>,
    classes: Vec<String>,
    item: PhantomData<fn() -> I>,
}

impl<D: Dataset<I>, I, F: Fn(I) -> ConvertedItem + Send + Sync> DatasetSource<D, I, F> {
    /// The items of `dataset`, converted by `convert`, as a set of images of `channels` channels without labels. Grey, RGB
    /// and RGBA images are converted to `channels` channels. Labels that `convert` returns are not used unless one of the two
    /// methods below enables them.
    #[must_use]
    pub fn new(dataset: D, channels: usize, convert: F) -> Self {
        Self {
            len: dataset.len(),
            dataset,
            channels,
            convert,
            labels: None,
            classes: Vec::new(),
            item: PhantomData,
        }
    }

    /// Sets the labels, one for each item, as indices into `classes`. An item whose conversion returns another label is an
    /// error when it is loaded.
    ///
    /// # Panics
    /// If the numbers of labels and items differ, or a label is not a class.
    #[must_use]
    pub fn with_labels(mut self, labels: Vec<usize>, classes: Vec<String>) -> Self {
        assert_eq!(labels.len(), self.len, "labels given, and items of the dataset");
        let outside = labels.iter().find(|&&label| label >= classes.len());
        assert!(
            outside.is_none(),
            "label {outside:?} of a set of {} classes",
            classes.len()
        );
        (self.labels, self.classes) = (Some(labels), classes);
        self
    }

    /// Takes the labels from the items: every item is converted once, here. [`DatasetSource::with_labels`] converts none.
    ///
    /// # Errors
    /// [`SetError`], for an item that is missing, cannot be converted, or has no label in `classes`.
    pub fn with_labels_of_items(mut self, classes: Vec<String>) -> Result<Self, DataError> {
        let label_of = |index| {
            let label = self.convert(index)?.1;
            label.filter(|&label| label < classes.len()).ok_or_else(|| {
                DataError::Set(SetError::ItemLabel {
                    index,
                    found: describe(label),
                    expected: format!("there are {} classes", classes.len()),
                })
            })
        };
        let labels = (0..self.len).map(label_of).collect::<Result<Vec<usize>, DataError>>()?;
        (self.labels, self.classes) = (Some(labels), classes);
        Ok(self)
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    fn convert(&self, index: usize) -> Result<(Image8, Option<usize>), DataError> {
        assert!(index < self.len, "image {index} of a set of {}", self.len);
        let item = self
            .dataset
            .get(index)
            .ok_or(SetError::NoItem { index, len: self.len })?;
        let bad = |reason: String| SetError::BadItem {
            index,
            reason: reason.replace('\n', " "),
        };
        let (image, label) = (self.convert)(item).map_err(bad)?;
        let image = image
            .into_channels(self.channels)
            .map_err(|reason| SetError::Channels {
                what: format!("item {index} of the dataset"),
                reason,
            })?;
        Ok((image, label))
    }
}

impl<D: Dataset<I>, I, F: Fn(I) -> ConvertedItem + Send + Sync> ImageSource for DatasetSource<D, I, F> {
    fn len(&self) -> usize {
        self.len
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        assert!(index < self.len, "image {index} of a set of {}", self.len);
        self.labels.as_ref().map(|labels| labels[index])
    }

    /// The number, such as `#17`.
    fn name(&self, index: usize) -> String {
        assert!(index < self.len, "image {index} of a set of {}", self.len);
        format!("#{index}")
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        let (image, label) = self.convert(index)?;
        let given = self.label(index);
        if given.is_some() && label.is_some() && label != given {
            return Err(DataError::Set(SetError::ItemLabel {
                index,
                found: describe(label),
                expected: format!("{} was given for it", describe(given)),
            }));
        }
        Ok(Arc::new(image))
    }
}

fn describe(label: Option<usize>) -> String {
    label.map_or("no label".into(), |label| format!("label {label}"))
}
