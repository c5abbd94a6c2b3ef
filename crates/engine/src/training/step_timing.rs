//! The time of a training step on any device: both views forward, the loss and its gradients, without the optimiser.

use super::{Profile, StepContext, step_gradients};
use crate::backend::TrainBackend;
use crate::method::{Clock, Method, MethodInputs};
use crate::methods::{LossSection, MethodSection};
use barlow_augment::ViewsConfig;
use barlow_data::DeviceBatch;
use barlow_model::{Model, ModelConfig};
use burn::tensor::{Tensor, TensorData};
use std::hint::black_box;
use std::time::Instant;

/// A network and the size of its step.
#[derive(Clone, Debug)]
pub struct StepTiming {
    /// The network; its heads hold the projector alone.
    pub model: ModelConfig,
    /// View pairs of a step.
    pub batch_size: usize,
    /// Pixels of a view's side.
    pub pixels: usize,
    /// Warm-up steps, which are not timed.
    pub warm_up: usize,
    /// Timed steps.
    pub counted: usize,
}

/// Seconds of each timed step. The host waits for the device before the clock is read.
pub fn step_seconds<B: TrainBackend>(timing: &StepTiming, device: &B::Device) -> Vec<f64> {
    let model = timing.model.init::<B>(device, 0);
    let inputs = MethodInputs {
        views: ViewsConfig::default().groups(),
        projector: timing.model.heads.projector.clone(),
        batch_size: timing.batch_size,
        largest_buffer: B::largest_buffer(device),
    };
    let mut method = MethodSection::default().build::<B>(&LossSection::default(), &inputs);
    let views = [1, 2].map(|seed| timing.view::<B>(seed, device));
    let mut once = || one_step(&model, method.as_mut(), &views, device);
    for _ in 0..timing.warm_up {
        once();
    }
    (0..timing.counted).map(|_| once()).collect()
}

fn one_step<B: TrainBackend>(
    model: &Model<B>,
    method: &mut dyn Method<B>,
    views: &[Tensor<B, 4>; 2],
    device: &B::Device,
) -> f64 {
    let profile = Profile::off();
    let context = StepContext {
        model,
        teacher: None,
        clock: Clock {
            step: 0,
            total_steps: 1,
            steps_per_epoch: 1,
        },
        seed: 0,
        profile: &profile,
    };
    let batch = DeviceBatch {
        views: views.to_vec(),
        labels: Vec::new(),
        indices: Vec::new(),
    };
    let start = Instant::now();
    let results = black_box(step_gradients(&context, method, batch));
    B::sync(device).expect("the device answers");
    let seconds = start.elapsed().as_secs_f64();
    drop(results);
    seconds
}

impl StepTiming {
    /// Noise of mean 0 and variance 1, the sum of twelve uniform numbers (xorshift): pixel values do not affect the time of a
    /// step.
    fn view<B: TrainBackend>(&self, seed: u64, device: &B::Device) -> Tensor<B, 4> {
        let mut state = 0x9E37_79B9_7F4A_7C15u64.wrapping_mul(seed);
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let shape = [self.batch_size, 3, self.pixels, self.pixels];
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}
