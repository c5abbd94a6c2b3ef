//! Sums of maps in the memory order of convolutions, channels last.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// The sum of two [N, C, H, W] that are channels last in memory. As [N, C, H, W] their sum would be in that order, which the next
/// convolution and norm would copy back.
pub(super) fn sum<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    let [a, b] = [a, b].map(|maps| B::float_permute(maps, &[0, 2, 3, 1]));
    B::float_permute(B::float_add(a, b), &[0, 3, 1, 2])
}
