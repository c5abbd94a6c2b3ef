//! Conversions between Burn's tensors and slices of floats.

use std::mem::MaybeUninit;

use burn::tensor::{Shape, TensorData, TensorMetadata};
use burn_flex::FlexTensor;

use super::in_place::InPlaceOrFresh;

/// The tensor that `work` computes from an f32 operand, in the operand's memory if it is not shared, and the return value of
/// `work`.
///
/// # Safety
/// `work` must write every float of its argument ([`InPlaceOrFresh::pointers`]).
pub(crate) unsafe fn rewritten<R>(operand: FlexTensor, work: impl FnOnce(InPlaceOrFresh<'_>) -> R) -> (FlexTensor, R) {
    let mut operand = contiguous(operand);
    if operand.is_unique()
        && let Some(floats) = operand.try_storage_mut()
    {
        let result = work(InPlaceOrFresh::InPlace(floats));
        return (operand, result);
    }
    let from: &[f32] = operand.storage();
    let mut result = None;
    let write = |to: &mut [MaybeUninit<f32>]| result = Some(work(InPlaceOrFresh::Fresh(to, from)));
    // SAFETY: `work` writes every float, as guaranteed by the caller.
    let floats = unsafe { written(from.len(), write) };
    let result = result.expect("`written` calls its closure");
    (tensor(floats, operand.shape()), result)
}

/// A vector of `len` values, initialised by `write`.
///
/// # Safety
/// `write` must initialise every value.
pub(crate) unsafe fn written<T: Copy>(len: usize, write: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    write(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and the first `len` values are initialised, as guaranteed by the caller.
    unsafe { values.set_len(len) };
    values
}

/// The same tensor in contiguous memory; copied only if it is a view.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// A contiguous tensor with these values.
pub(crate) fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled(operand: FlexTensor) -> FlexTensor {
        let double = |whole: InPlaceOrFresh<'_>| {
            for mut part in whole.chunks(3) {
                let (to, from, len) = part.pointers();
                // SAFETY: both are valid for `len` floats.
                (0..len).for_each(|i| unsafe { to.add(i).write(2.0 * from.add(i).read()) });
            }
        };
        // SAFETY: every part is written.
        unsafe { rewritten(operand, double) }.0
    }

    fn values(tensor: &FlexTensor) -> Vec<f32> {
        tensor.clone().into_data().to_vec().unwrap()
    }

    #[test]
    fn an_operand_is_overwritten_only_if_nothing_else_refers_to_it() {
        let operand = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2].into());
        let kept = operand.clone();
        let shared = doubled(operand);
        assert_eq!(values(&shared), [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(values(&kept), [1.0, 2.0, 3.0, 4.0]);
        let place = shared.bytes().as_ptr();
        let again = doubled(shared);
        assert_eq!(values(&again), [4.0, 8.0, 12.0, 16.0]);
        assert_eq!(again.bytes().as_ptr(), place);
    }

    #[test]
    fn a_view_is_made_contiguous_first() {
        let whole = tensor((0..6).map(|i| i as f32).collect(), [2, 3].into());
        let transposed = doubled(whole.clone().transpose(0, 1));
        assert_eq!(values(&transposed), [0.0, 6.0, 2.0, 8.0, 4.0, 10.0]);
        let row = doubled(whole.clone().narrow(0, 1, 1));
        assert_eq!(values(&row), [6.0, 8.0, 10.0]);
        assert_eq!(values(&whole), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
