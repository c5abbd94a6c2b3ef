//! A step's readings, still on the device.

use crate::backend::TrainBackend;
use crate::method::LossOutput;
use crate::metrics::{LOSS, Readings};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A step's loss and readings, still on the device: reading them waits for it, so they are read when they are logged, in one
/// transfer.
#[derive(Clone, Debug)]
pub struct PendingReadings<B: Backend> {
    names: Vec<&'static str>,
    values: Tensor<B, 1>,
}

impl<B: Backend> PendingReadings<B> {
    /// Waits for the device and reads the values.
    pub fn read(self) -> Readings {
        let values: Vec<f32> = self
            .values
            .into_data()
            .convert::<f32>()
            .into_vec()
            .expect("converted to f32 above");
        Readings::new(self.names, values.into_iter().map(f64::from))
    }
}

/// The values of a loss, without its graph.
pub(super) fn pending<B: TrainBackend>(output: &LossOutput<B>) -> PendingReadings<B::InnerBackend> {
    let loss = std::iter::once((LOSS, &output.loss));
    let readings = output.readings.iter().map(|(name, value)| (*name, value));
    let (names, values) = loss
        .chain(readings)
        .map(|(name, value)| (name, value.clone().inner()))
        .unzip();
    PendingReadings {
        names,
        values: Tensor::cat(values, 0),
    }
}
