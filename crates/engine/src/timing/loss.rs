//! The time of the loss: forward and backward pass of two batches of embeddings.

use super::cost::Cost;
use super::noise::noise;
use super::repeats::{Repeats, Timing};
use crate::backend::TrainBackend;
use barlow_loss::{BarlowTwinsLossConfig, LossForm};
use burn::tensor::{Tensor, TensorData};
use std::hint::black_box;
use std::time::Instant;

/// A form of the loss and the size of its embeddings.
#[derive(Clone, Copy, Debug)]
pub struct LossWorkload {
    /// How the loss is computed.
    pub form: LossForm,
    /// Batch size N.
    pub n: usize,
    /// Width D of the embeddings.
    pub d: usize,
}

impl LossWorkload {
    /// The form that is taken where the device limits a tensor to `largest_buffer` bytes.
    pub fn form_taken(&self, largest_buffer: Option<u64>) -> LossForm {
        let criterion = BarlowTwinsLossConfig::new().with_form(self.form).init();
        criterion.form(self.n, self.d, largest_buffer).0
    }

    pub(super) fn time<B: TrainBackend>(&self, repeats: Repeats, device: &B::Device) -> Timing {
        let criterion = BarlowTwinsLossConfig::new().with_form(self.form).init();
        let [z_a, z_b] = [1, 2].map(|seed| {
            let values = noise(self.n * self.d, seed);
            Tensor::<B, 2>::from_data(TensorData::new(values, [self.n, self.d]), device).require_grad()
        });
        Timing::of(repeats, || {
            let start = Instant::now();
            let gradients = criterion.forward(z_a.clone(), z_b.clone()).loss.backward();
            black_box((z_a.grad(&gradients), z_b.grad(&gradients)));
            B::sync(device).expect("the device answers");
            start.elapsed().as_secs_f64()
        })
    }

    /// The cheaper of C with its two gradients (three products of N·D²) and the Gram matrices with theirs (four of N²·D); the
    /// embeddings read forward and backward, both gradients written.
    pub(super) fn cost(&self) -> Cost {
        let (n, d) = (self.n as f64, self.d as f64);
        let direct = 6.0 * n * d * d;
        let gram = 8.0 * n * n * d;
        Cost {
            operations: match self.form {
                LossForm::Direct | LossForm::Reference => direct,
                LossForm::Gram => gram,
                LossForm::Auto => direct.min(gram),
            },
            bytes: 4.0 * 6.0 * n * d,
        }
    }
}
