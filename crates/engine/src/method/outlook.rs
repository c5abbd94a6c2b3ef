//! What a method's loss will take and how low it can get, worked out before anything is computed.

/// A tensor of a step, in f32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeTensor {
    /// What it is.
    pub what: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What makes it smaller.
    pub way_out: &'static str,
}

impl LargeTensor {
    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.shape.iter().map(|&side| side as u64).product::<u64>() * 4
    }
}

/// What a method's loss will take and how low it can get.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// The settings in a few words, for the plan.
    pub settings: String,
    /// The least value that the loss can have, where it is known.
    pub floor: Option<f64>,
    /// Its value for embeddings that carry no information, where it is known.
    pub start: Option<f64>,
    /// Values (f32) that the loss holds at its peak beside the network's activations.
    pub peak_values: u64,
    /// Its large matrices, which must fit a buffer of the device.
    pub tensors: Vec<LargeTensor>,
}
