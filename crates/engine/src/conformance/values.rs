//! Values that were computed on a device, by name.

use crate::backend::TrainBackend;
use crate::evaluation::to_host;
use barlow_model::StateDict;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};

/// Which implementation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The backend's own, as a run uses it.
    Backend,
    /// The definition: plain tensor operations of Burn's, with Burn's gradients.
    Definition,
}

/// The device of a case's reference values, which are computed [by definition](By::Definition).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The CPU backend.
    Cpu,
    /// The device under test.
    SameDevice,
}

/// What was computed under one name: one tensor, or all tensors of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What was computed.
    pub name: String,
    /// The elements of each tensor.
    pub tensors: Vec<Vec<f32>>,
}

/// What a case computes.
pub type Values = Vec<Measured>;

impl Measured {
    /// One tensor.
    pub(super) fn of(name: impl Into<String>, values: Vec<f32>) -> Self {
        Self {
            name: name.into(),
            tensors: vec![values],
        }
    }

    /// All tensors of a network, in the order of their names.
    pub(super) fn of_state(name: impl Into<String>, state: StateDict) -> Self {
        Self {
            name: name.into(),
            tensors: state.into_values().map(|tensor| tensor.data).collect(),
        }
    }
}

/// Pseudo-random values in [−1, 1], the same for a seed on every backend.
pub(super) fn noise<B: TrainBackend, const D: usize>(shape: [usize; D], seed: u64, device: &B::Device) -> Tensor<B, D> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Reads one gradient out of all of them.
pub(super) type Reader<B> = Box<dyn Fn(&<B as AutodiffBackend>::Gradients) -> Vec<f32>>;

/// Reads the gradient of a tensor that the output depends on.
pub(super) fn gradient_of<B: TrainBackend, const D: usize>(tensor: &Tensor<B, D>) -> Reader<B> {
    let tensor = tensor.clone();
    Box::new(move |gradients| to_host(tensor.grad(gradients).expect("the output depends on it")))
}

/// An output with the inputs' gradients of its sum, weighted by pseudo-random values.
pub(super) fn with_gradients<B: TrainBackend, const D: usize>(
    name: &str,
    output: Tensor<B, D>,
    inputs: &[(&str, Reader<B>)],
    device: &B::Device,
) -> Values {
    let gradient = noise::<B, D>(output.dims(), 99, device);
    let mut values = vec![Measured::of(name, to_host(output.clone()))];
    let gradients = (output * gradient).sum().backward();
    for (input, gradient) in inputs {
        values.push(Measured::of(
            format!("{name}, gradient for {input}"),
            gradient(&gradients),
        ));
    }
    values
}
