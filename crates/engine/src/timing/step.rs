//! The time of a training step: both views forward, the loss and its gradients, without the optimiser.

use super::cost::Cost;
use super::loss::LossWorkload;
use super::noise::noise;
use super::repeats::{Repeats, Timing};
use crate::backend::TrainBackend;
use crate::method::{Clock, Method, MethodInputs};
use crate::methods::{LossSection, MethodSection};
use crate::training::{Profile, StepContext, step_gradients};
use barlow_augment::ViewsConfig;
use barlow_data::DeviceBatch;
use barlow_loss::LossForm;
use barlow_model::{HeadNorm, Model, ModelConfig};
use burn::tensor::{Tensor, TensorData};
use std::hint::black_box;
use std::time::Instant;

/// A network and the size of its step.
#[derive(Clone, Debug)]
pub struct StepWorkload {
    /// The network; its heads hold the projector alone.
    pub model: ModelConfig,
    /// View pairs of a step.
    pub batch_size: usize,
    /// Pixels of a view's side.
    pub pixels: usize,
}

impl StepWorkload {
    pub(super) fn time<B: TrainBackend>(&self, repeats: Repeats, device: &B::Device) -> Timing {
        let model = self.model.init::<B>(device, 0);
        let inputs = MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: self.model.heads.projector.clone(),
            batch_size: self.batch_size,
            largest_buffer: B::largest_buffer(device),
        };
        let mut method = MethodSection::default().build::<B>(&LossSection::default(), &inputs);
        let views = [1, 2].map(|seed| self.view::<B>(seed, device));
        Timing::of(repeats, || one_step(&model, method.as_mut(), &views, device))
    }

    /// Uniform noise of mean 0 and variance 1.
    fn view<B: TrainBackend>(&self, seed: u64, device: &B::Device) -> Tensor<B, 4> {
        let shape = [self.batch_size, 3, self.pixels, self.pixels];
        let mut values = noise(shape.iter().product(), seed);
        values.iter_mut().for_each(|value| *value *= 3f32.sqrt());
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// The three passes of each convolution and linear layer, of both views; norms, activations and sums only move bytes.
    pub(super) fn cost(&self) -> Cost {
        let images = 2 * self.batch_size;
        let mut cost = Cost::default();
        for (number, shape) in self.model.backbone.convolutions(self.pixels).iter().enumerate() {
            // The images need no gradient.
            let passes = if number == 0 { 2 } else { 3 };
            cost += Cost::convolution(shape, images) * f64::from(passes);
            cost += Cost::norm_and_activation(images * shape.outputs());
        }
        let mut width = self.model.backbone.feature_dim();
        for layer in &self.model.heads.projector.layers {
            cost += Cost::product(images, width, layer.width) * 3.0;
            if layer.norm != HeadNorm::None {
                cost += Cost::norm_and_activation(images * layer.width);
            }
            width = layer.width;
        }
        let loss = LossWorkload {
            form: LossForm::Auto,
            n: self.batch_size,
            d: width,
        };
        cost += loss.cost();
        cost
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_model::{HeadsConfig, ProjectorConfig, ResNetConfig, ResNetDepth};

    #[test]
    fn the_operations_of_the_papers_step() {
        let projector = ProjectorConfig {
            widths: vec![8192, 8192, 8192],
        };
        let heads = HeadsConfig::new(projector.mlp(true));
        let step = StepWorkload {
            model: ModelConfig::new(ResNetConfig::new(ResNetDepth::ResNet50), heads),
            batch_size: 64,
            pixels: 224,
        };
        // Three passes, two operations per product: convolutions 4.087e9 products an image (the stem's 0.118e9 twice), projector
        // 0.151e9; the loss's eight products of 64 x 64 x 8192.
        let products = 128.0 * (3.0 * 4.087_136_256e9 - 0.118_013_952e9 + 3.0 * 0.150_994_944e9);
        let expected = 2.0 * products + 8.0 * 64.0 * 64.0 * 8192.0;
        assert!(
            (step.cost().operations / expected - 1.0).abs() < 1e-9,
            "{:?}",
            step.cost()
        );
    }
}
