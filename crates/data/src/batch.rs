//! Batches of views: in host memory, as the workers make them, and on the device, as the model takes them.
//!
//! The only file of the crate that makes float tensors; it must not know how a batch was made.

use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// One view of every image of a batch, in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// `[n, channels, size, size]` row-major, normalised, with the `n` and `channels` of the batch.
    pub pixels: Vec<f32>,
    /// Side of the view in pixels.
    pub size: usize,
    /// Index of its group in [`barlow_augment::Views::groups`].
    pub group: usize,
}

/// A batch in host memory. Row `i` of everything belongs to the same image.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBatch {
    /// All views of the images, in the order of [`barlow_augment::Views`]; at least one.
    pub views: Vec<HostView>,
    /// Number of images.
    pub n: usize,
    /// Number of channels of an image.
    pub channels: usize,
    /// Class of each image, `None` without labels.
    pub labels: Vec<Option<usize>>,
    /// Number of each image in its data set.
    pub indices: Vec<usize>,
}

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct DeviceBatch<B: Backend> {
    /// All views of the images, as [`HostBatch::views`]: `[N, C, S, S]` with the view's own side `S`.
    pub views: Vec<Tensor<B, 4>>,
    /// Class of each image, `None` without labels.
    pub labels: Vec<Option<usize>>,
    /// Number of each image in its data set.
    pub indices: Vec<usize>,
}

impl HostBatch {
    /// The images `rows` of view `view` on the device, `[rows, C, S, S]`, in the backend's float type. Copies them.
    ///
    /// # Panics
    /// If there is no such view or there are no such images.
    pub fn rows_to_device<B: Backend>(&self, view: usize, rows: Range<usize>, device: &B::Device) -> Tensor<B, 4> {
        let HostView { pixels, size, .. } = &self.views[view];
        let image = self.channels * size * size;
        let values = pixels[rows.start * image..rows.end * image].to_vec();
        let shape = [rows.len(), self.channels, *size, *size];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// The images `rows` alone.
    ///
    /// # Panics
    /// If there are no such images.
    #[must_use]
    pub fn rows(mut self, rows: Range<usize>) -> Self {
        for view in &mut self.views {
            let image = self.channels * view.size * view.size;
            view.pixels.truncate(rows.end * image);
            view.pixels.drain(..rows.start * image);
        }
        self.labels = self.labels[rows.clone()].to_vec();
        self.indices = self.indices[rows.clone()].to_vec();
        self.n = rows.len();
        self
    }

    /// Moves the views to the device, in the backend's float type; the host memory is handed over, not copied here.
    #[must_use]
    pub fn to_device<B: Backend>(self, device: &B::Device) -> DeviceBatch<B> {
        let (n, channels) = (self.n, self.channels);
        let tensor = |view: HostView| {
            let shape = [n, channels, view.size, view.size];
            Tensor::from_data(TensorData::new(view.pixels, shape), device)
        };
        DeviceBatch {
            views: self.views.into_iter().map(tensor).collect(),
            labels: self.labels,
            indices: self.indices,
        }
    }
}
