//! [`TransformerOps`] for the CPU backend: converts tensors to slices, assigns rows to tasks, and converts back.

use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorMetadata};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

use super::rows::{TASK_ROWS, in_place};
use super::{gelu, layer_norm, softmax};
use crate::cpu::in_place::InPlaceOrFresh;
use crate::cpu::tensors::{contiguous, rewritten, tensor};
use crate::transformer::{LayerNormGradients, LayerNormSaved, LayerNormed, TransformerOps, reference};

/// Values of a task of an elementwise operation.
const TASK_VALUES: usize = 16 * 1024;

impl TransformerOps for Flex {
    fn layer_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> LayerNormed<Self> {
        if !all_f32([&x, &weight, &bias]) || is_empty(&x) {
            return reference::layer_norm_forward(x, weight, bias, epsilon);
        }
        let [rows, width] = x.shape().dims();
        let (weight, bias) = (contiguous(weight), contiguous(bias));
        let (weight, bias): (&[f32], &[f32]) = (weight.storage(), bias.storage());
        let (mut means, mut inverse_stds) = (vec![0.0; rows], vec![0.0; rows]);
        let y = by_tasks(x, TASK_ROWS * width, |parts| {
            parts
                .into_par_iter()
                .zip(means.par_chunks_mut(TASK_ROWS))
                .zip(inverse_stds.par_chunks_mut(TASK_ROWS))
                .for_each(|((part, means), inverse_stds)| {
                    layer_norm::forward(in_place(part), weight, bias, epsilon, means, inverse_stds);
                });
        });
        let column = |values| tensor(values, Shape::new([rows, 1]));
        LayerNormed {
            y,
            mean: column(means),
            inverse_std: column(inverse_stds),
        }
    }

    fn layer_norm_backward(
        saved: LayerNormSaved<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> LayerNormGradients<Self> {
        if !all_f32([&saved.x, &saved.weight, &output_gradient]) || is_empty(&output_gradient) {
            return reference::layer_norm_backward(saved, output_gradient);
        }
        let [_, width] = saved.x.shape().dims();
        let LayerNormSaved {
            x,
            weight,
            mean,
            inverse_std,
        } = saved;
        let [x, weight, mean, inverse_std] = [x, weight, mean, inverse_std].map(contiguous);
        let (x, weight): (&[f32], &[f32]) = (x.storage(), weight.storage());
        let (means, inverse_stds): (&[f32], &[f32]) = (mean.storage(), inverse_std.storage());
        let mut sums = Vec::new();
        let dx = by_tasks(output_gradient, TASK_ROWS * width, |parts| {
            parts
                .into_par_iter()
                .zip(x.par_chunks(TASK_ROWS * width))
                .zip(means.par_chunks(TASK_ROWS).zip(inverse_stds.par_chunks(TASK_ROWS)))
                .map(|((part, x), (means, inverse_stds))| {
                    let (mut dw, mut db) = (vec![0.0; width], vec![0.0; width]);
                    layer_norm::backward(in_place(part), x, weight, means, inverse_stds, [&mut dw, &mut db]);
                    [dw, db]
                })
                .collect_into_vec(&mut sums);
        });
        // The tasks' sums in their order.
        let total = |which: usize| {
            let mut total = vec![0.0f64; width];
            for sums in &sums {
                total
                    .iter_mut()
                    .zip(&sums[which])
                    .for_each(|(total, &sum)| *total += f64::from(sum));
            }
            tensor(total.into_iter().map(|sum| sum as f32).collect(), Shape::new([width]))
        };
        LayerNormGradients {
            x: dx,
            weight: total(0),
            bias: total(1),
        }
    }

    fn gelu_exact(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if x.dtype() != DType::F32 || is_empty(&x) {
            return reference::gelu_forward::<Self>(x);
        }
        by_tasks(x, TASK_VALUES, |parts| {
            parts.into_par_iter().for_each(|part| gelu::forward(in_place(part)));
        })
    }

    fn gelu_exact_backward(x: FloatTensor<Self>, output_gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32([&x, &output_gradient]) || is_empty(&x) {
            return reference::gelu_backward::<Self>(x, output_gradient);
        }
        let x = contiguous(x);
        let x: &[f32] = x.storage();
        by_tasks(output_gradient, TASK_VALUES, |parts| {
            let tasks = parts.into_par_iter().zip(x.par_chunks(TASK_VALUES));
            tasks.for_each(|(part, x)| gelu::backward(in_place(part), x));
        })
    }

    fn softmax_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if x.dtype() != DType::F32 || is_empty(&x) {
            return reference::softmax_forward::<Self>(x);
        }
        let [_, width] = x.shape().dims();
        by_tasks(x, TASK_ROWS * width, |parts| {
            parts
                .into_par_iter()
                .for_each(|part| softmax::forward(in_place(part), width));
        })
    }

    fn softmax_backward(y: FloatTensor<Self>, output_gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32([&y, &output_gradient]) || is_empty(&y) {
            return reference::softmax_backward::<Self>(y, output_gradient);
        }
        let [_, width] = y.shape().dims();
        let y = contiguous(y);
        let y: &[f32] = y.storage();
        by_tasks(output_gradient, TASK_ROWS * width, |parts| {
            let tasks = parts.into_par_iter().zip(y.par_chunks(TASK_ROWS * width));
            tasks.for_each(|(part, y)| softmax::backward(in_place(part), y, width));
        })
    }
}

/// The tensor that `work` computes from `operand` in parts of `len` floats (the last one may be shorter), all of which it must
/// write.
fn by_tasks(operand: FlexTensor, len: usize, work: impl FnOnce(Vec<InPlaceOrFresh<'_>>)) -> FlexTensor {
    // SAFETY: every closure in this file computes each part in place, after `in_place` has initialised it.
    unsafe { rewritten(operand, |whole| work(whole.chunks(len).collect())) }.0
}

fn all_f32<const N: usize>(tensors: [&FlexTensor; N]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

fn is_empty(tensor: &FlexTensor) -> bool {
    tensor.shape().num_elements() == 0
}
