//! [`MemorySet`], images that are already in memory: as images or as one tensor.
//!
//! This file must not read or write anything.

use std::sync::Arc;

use barlow_augment::{Image8, PlanarImage8};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::SetError;
use crate::{DataError, ImageSource};

/// Images in memory, with or without labels.
#[derive(Debug, Clone)]
pub struct MemorySet {
    images: Vec<Arc<Image8>>,
    labels: Option<Vec<usize>>,
    classes: Vec<String>,
    channels: usize,
}

impl MemorySet {
    /// A set of `images`, all of the same number of channels (three are treated as RGB); sides may differ. `labels` are
    /// indices into `classes`, which is empty without labels.
    ///
    /// # Panics
    /// If there are no images, their channels differ, the numbers of labels and images differ, a label is not a class,
    /// or there are classes without labels.
    #[must_use]
    pub fn new(images: Vec<Image8>, labels: Option<Vec<usize>>, classes: Vec<String>) -> Self {
        let channels = images
            .first()
            .map(Image8::channels)
            .expect("a set in memory needs an image");
        if let Some(at) = images.iter().position(|image| image.channels() != channels) {
            let other = images[at].channels();
            panic!("image 0 has {channels} channels and image {at} has {other}; one set has one number of channels");
        }
        match &labels {
            Some(labels) => {
                assert_eq!(labels.len(), images.len(), "labels given, and images given");
                let outside = labels.iter().find(|&&label| label >= classes.len());
                assert!(
                    outside.is_none(),
                    "label {outside:?} of a set of {} classes",
                    classes.len()
                );
            }
            None => assert!(classes.is_empty(), "{} classes for a set without labels", classes.len()),
        }
        Self {
            images: images
                .into_iter()
                .map(|image| Arc::new(image.into_channels(channels).expect(SAME)))
                .collect(),
            labels,
            classes,
            channels,
        }
    }

    /// Images from a tensor `[N, C, H, W]` of values in [0, 1], rounded to 8 bits. Labels as in [`MemorySet::new`].
    ///
    /// # Errors
    /// [`SetError::Value`] for NaN or a value outside [0, 1].
    ///
    /// # Panics
    /// As [`MemorySet::new`], and if the tensor holds no value.
    pub fn from_tensor<B: Backend>(
        images: Tensor<B, 4>,
        labels: Option<Vec<usize>>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let shape = images.dims();
        let values = images.into_data().convert::<f32>();
        let values = values.as_slice::<f32>().expect("the data was converted to f32");
        // The comparison also rejects NaN.
        let byte = |value: f32| (0.0..=1.0).contains(&value).then(|| (value * 255.0).round() as u8);
        let pixels = to_bytes(values, shape, "[0, 1]", byte, f64::from)?;
        Ok(Self::new(cut(&pixels, shape), labels, classes))
    }

    /// Images from a tensor `[N, C, H, W]` of integers in 0..=255. Labels as in [`MemorySet::new`].
    ///
    /// # Errors
    /// [`SetError::Value`] for a value outside 0..=255.
    ///
    /// # Panics
    /// As [`MemorySet::new`], and if the tensor holds no value.
    pub fn from_int_tensor<B: Backend>(
        images: Tensor<B, 4, Int>,
        labels: Option<Vec<usize>>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let shape = images.dims();
        let values = images.into_data().convert::<i64>();
        let values = values.as_slice::<i64>().expect("the data was converted to i64");
        let byte = |value: i64| u8::try_from(value).ok();
        let pixels = to_bytes(values, shape, "0..=255", byte, |value| value as f64)?;
        Ok(Self::new(cut(&pixels, shape), labels, classes))
    }

    /// Size of the pixels in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.images.iter().map(|image| image.bytes() as u64).sum()
    }
}

/// Every value as a byte, or an error with the first value that is out of range.
fn to_bytes<T: Copy>(
    values: &[T],
    shape: [usize; 4],
    range: &'static str,
    byte: impl Fn(T) -> Option<u8>,
    shown: impl Fn(T) -> f64,
) -> Result<Vec<u8>, DataError> {
    assert!(!values.is_empty(), "a tensor of {shape:?} holds no image");
    let per_image = shape[1] * shape[2] * shape[3];
    let convert = |(at, &value): (usize, &T)| {
        byte(value).ok_or_else(|| {
            DataError::Set(SetError::Value {
                index: at / per_image,
                value: shown(value),
                range,
            })
        })
    };
    values.iter().enumerate().map(convert).collect()
}

const SAME: &str = "an image can keep its channels";

/// The images of row-major `[N, C, H, W]` bytes.
fn cut(pixels: &[u8], [_, channels, height, width]: [usize; 4]) -> Vec<Image8> {
    let image = |planes: &[u8]| PlanarImage8::new(channels, width, height, planes.to_vec()).into();
    pixels.chunks_exact(channels * width * height).map(image).collect()
}

impl ImageSource for MemorySet {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        assert!(index < self.len(), "image {index} of a set of {}", self.len());
        self.labels.as_ref().map(|labels| labels[index])
    }

    /// The number, such as `#17`.
    fn name(&self, index: usize) -> String {
        assert!(index < self.len(), "image {index} of a set of {}", self.len());
        format!("#{index}")
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        Ok(Arc::clone(&self.images[index]))
    }
}
