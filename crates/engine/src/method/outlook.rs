//! Estimates for a method's loss before anything is computed: memory, first value and floor.

/// A tensor of a step, in f32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeTensor {
    /// Its description.
    pub what: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The settings that make it smaller.
    pub way_out: &'static str,
}

impl LargeTensor {
    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.shape.iter().map(|&side| side as u64).product::<u64>() * 4
    }
}

/// Estimates for a method's loss: memory, first value and floor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// The settings in a few words, for the plan.
    pub settings: String,
    /// The least value that the loss can have, if known.
    pub floor: Option<f64>,
    /// Its value for embeddings that carry no information, if known.
    pub start: Option<f64>,
    /// Values (f32) that the loss holds at its peak besides the network's activations.
    pub peak_values: u64,
    /// Its large matrices, which must fit a buffer of the device.
    pub tensors: Vec<LargeTensor>,
}
