//! [`OptimOps`] for the CPU backend: a parameter's update in one pass over its values, on all threads, in place.
//!
//! Each of Burn's tensor ops is a pass of its own, most of them on one thread: some fifteen per AdamW update, over memory that no
//! cache holds. Here the values, the gradient and the buffers are split into chunks of a fixed length, and a chunk is written
//! once. Sums are in the order of the chunks, so results depend neither on the number of threads nor on the instruction set.
//! f32 only; any other element type uses the tensor ops.

use super::{adamw, momentum};
use crate::optim::{AdamW, Lars, OptimOps, Sgd, Update, Updated};
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

impl OptimOps for Flex {
    fn adamw(rule: &AdamW, update: Update<Self>) -> Updated<Self> {
        if !all_f32(&update) {
            return rule.update(update);
        }
        let coefficients = rule.coefficients(&update);
        let mut parts = Parts::of(update);
        let [mut first, mut second] = parts.buffers();
        adamw::update(
            coefficients,
            parts.value.storage_mut(),
            first.storage_mut(),
            second.storage_mut(),
            parts.gradient.storage(),
        );
        (matrix(parts.value), vec![matrix(first), matrix(second)])
    }

    fn lars(rule: &Lars, update: Update<Self>) -> Updated<Self> {
        // The variants of other methods have no kernel.
        if rule.separate_norms || rule.rate_in_momentum || !all_f32(&update) {
            return rule.update(update);
        }
        let (adapts, learning_rate) = (update.adapts, update.learning_rate);
        let weight_decay = if update.decays { rule.weight_decay as f32 } else { 0.0 };
        moved(update, rule.momentum, |value, gradient| {
            if !adapts {
                return momentum::Adaptation {
                    weight_decay,
                    ratio: 1.0,
                };
            }
            let norms = momentum::norms(weight_decay, value, gradient);
            let ratio = rule.ratio(norms, learning_rate) as f32;
            momentum::Adaptation { weight_decay, ratio }
        })
    }

    fn sgd(rule: &Sgd, update: Update<Self>) -> Updated<Self> {
        if !all_f32(&update) {
            return rule.update(update);
        }
        let weight_decay = if update.decays { rule.weight_decay as f32 } else { 0.0 };
        moved(update, rule.momentum, |_, _| momentum::Adaptation {
            weight_decay,
            ratio: 1.0,
        })
    }
}

/// A momentum step along the gradient, which `adaptation` scales by the value and the gradient.
fn moved(
    update: Update<Flex>,
    momentum: f64,
    adaptation: impl FnOnce(&[f32], &[f32]) -> momentum::Adaptation,
) -> Updated<Flex> {
    let rates = momentum::Rates {
        momentum: momentum as f32,
        learning_rate: update.learning_rate as f32,
    };
    let mut parts = Parts::of(update);
    let [mut momentum] = parts.buffers();
    let gradient = parts.gradient.storage();
    let adaptation = adaptation(parts.value.storage(), gradient);
    momentum::update(
        adaptation,
        rates,
        parts.value.storage_mut(),
        momentum.storage_mut(),
        gradient,
    );
    (matrix(parts.value), vec![matrix(momentum)])
}

fn all_f32(update: &Update<Flex>) -> bool {
    let dtypes = [update.value.dtype(), update.gradient.dtype()];
    let buffers = update.buffers.iter().map(Tensor::dtype);
    dtypes.into_iter().chain(buffers).all(|dtype| dtype == DType::F32)
}

/// The contiguous tensors of an update.
struct Parts {
    value: FlexTensor,
    gradient: FlexTensor,
    kept: Vec<FlexTensor>,
}

impl Parts {
    fn of(update: Update<Flex>) -> Self {
        Self {
            value: in_order(update.value),
            gradient: in_order(update.gradient),
            kept: update.buffers.into_iter().map(in_order).collect(),
        }
    }

    /// The rule's buffers; zeros at the first step, which the rules treat like missing buffers.
    fn buffers<const N: usize>(&mut self) -> [FlexTensor; N] {
        <[_; N]>::try_from(std::mem::take(&mut self.kept)).unwrap_or_else(|_| {
            std::array::from_fn(|_| FlexTensor::zeros(self.value.layout().shape().clone(), DType::F32))
        })
    }
}

/// A contiguous tensor. No copy if it already is, as a parameter and its buffers are; a shared one is copied when written to.
fn in_order(tensor: Tensor<Flex, 2>) -> FlexTensor {
    tensor.into_primitive().tensor().to_contiguous()
}

fn matrix(tensor: FlexTensor) -> Tensor<Flex, 2> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}
