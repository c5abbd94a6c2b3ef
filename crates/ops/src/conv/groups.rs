//! The number of groups of a convolution, from the shapes of its input and its weight.

use burn::tensor::Shape;

/// Groups of a convolution of an input [N, C_in, H, W] with a weight [C_out, C_in / groups, k, k].
///
/// # Panics
/// If the channels are not those of a whole number of groups.
pub(in crate::conv) fn groups(input: &Shape, weight: &Shape) -> usize {
    let ([_, channels_in, _, _], [channels_out, per_group, _, _]) = (input.dims(), weight.dims());
    let groups = channels_in.checked_div(per_group).unwrap_or(0);
    assert!(
        groups > 0 && groups * per_group == channels_in && channels_out.is_multiple_of(groups),
        "convolution: input {input:?} and weight {weight:?} are not those of whole groups ([N, C_in, H, W] and \
         [C_out, C_in / groups, k, k])"
    );
    groups
}
