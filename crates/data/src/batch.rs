//! A batch of view pairs, on the host as the workers make it and on the device as the model takes it.
//!
//! The only file of the crate that makes tensors; it must not know how a batch was made.

use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// A batch in host memory. Row `i` of everything belongs to the same image.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBatch {
    /// First views, `[n, channels, size, size]` row-major, normalised.
    pub view_a: Vec<f32>,
    /// Second views, as `view_a`.
    pub view_b: Vec<f32>,
    /// Images.
    pub n: usize,
    /// Colour channels.
    pub channels: usize,
    /// Side of a view in pixels.
    pub size: usize,
    /// Class of each image, `None` without labels.
    pub labels: Vec<Option<usize>>,
    /// Number of each image in its set.
    pub indices: Vec<usize>,
}

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct TwinBatch<B: Backend> {
    /// First views, `[N, C, H, W]`.
    pub view_a: Tensor<B, 4>,
    /// Second views, `[N, C, H, W]`.
    pub view_b: Tensor<B, 4>,
    /// Class of each image, `None` without labels.
    pub labels: Vec<Option<usize>>,
    /// Number of each image in its set.
    pub indices: Vec<usize>,
}

impl HostBatch {
    /// The images `rows` of one of the views, [`HostBatch::view_a`] or [`HostBatch::view_b`], as [rows, C, H, W] on the device.
    ///
    /// # Panics
    /// If there are no such images.
    pub fn rows_to_device<B: Backend>(&self, view: &[f32], rows: Range<usize>, device: &B::Device) -> Tensor<B, 4> {
        let image = self.channels * self.size * self.size;
        let values = view[rows.start * image..rows.end * image].to_vec();
        let shape = [rows.len(), self.channels, self.size, self.size];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Moves the views to the device, in the backend's float type; the host memory is given away, not copied here.
    #[must_use]
    pub fn to_device<B: Backend>(self, device: &B::Device) -> TwinBatch<B> {
        let shape = [self.n, self.channels, self.size, self.size];
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), device);
        TwinBatch {
            view_a: tensor(self.view_a),
            view_b: tensor(self.view_b),
            labels: self.labels,
            indices: self.indices,
        }
    }
}
