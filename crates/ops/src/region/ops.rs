//! The trait [`RegionOps`] and the function on tensors.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorPrimitive};

use super::{Regions, reference};

/// RoIAlign, overridable per backend.
pub trait RegionOps: Backend {
    /// [N, C, H, W] → [R, C, bins, bins].
    fn roi_align_forward(x: FloatTensor<Self>, regions: &Regions) -> FloatTensor<Self> {
        reference::forward::<Self>(x, regions)
    }

    /// Gradient with respect to the features, [N, C, H, W] = `input_shape`, from that of the output, [R, C, bins, bins].
    fn roi_align_backward(
        output_gradient: FloatTensor<Self>,
        regions: &Regions,
        input_shape: Shape,
    ) -> FloatTensor<Self> {
        reference::backward::<Self>(output_gradient, regions, input_shape)
    }
}

/// RoIAlign: the features of each region, sampled bilinearly and averaged over bins, as torchvision's `roi_align` with an adaptive number
/// of samples and aligned pixels. No gradient reaches the regions.
///
/// # Shapes
/// - `x`: [N, C, H, W]
/// - returns [R, C, bins, bins], in the order of the regions
///
/// # Panics
/// If a region belongs to an image that is not there, or the features have no pixels.
pub fn roi_align<B: RegionOps>(x: Tensor<B, 4>, regions: &Regions) -> Tensor<B, 4> {
    let [images, channels, height, width] = x.dims();
    assert!(
        channels * height * width > 0,
        "RoIAlign: features of shape {:?} have no pixels",
        x.dims()
    );
    let (last, _) = regions.boxes()[regions.len() - 1];
    assert!(
        last < images,
        "RoIAlign: a region of image {last}, but there are {images}"
    );
    let y = B::roi_align_forward(x.into_primitive().tensor(), regions);
    Tensor::from_primitive(TensorPrimitive::Float(y))
}
