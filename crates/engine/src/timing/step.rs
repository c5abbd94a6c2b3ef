//! The time of a training step of a method: views forward, the loss and its gradients, a teacher's passes and update; without the
//! optimiser.

use super::cost::Cost;
use super::loss::LossWorkload;
use super::noise::noise;
use super::repeats::{Repeats, Timing};
use crate::backend::TrainBackend;
use crate::method::{Clock, EmaTiming, Method, MethodInputs, MethodSpec, WholeSet};
use crate::methods::{LossSection, MethodKind, MethodSection};
use crate::ranks::Ranks;
use crate::training::{Profile, StepContext, Teacher, step_gradients};
use barlow_augment::ViewsConfig;
use barlow_data::{DeviceBatch, HostBatch, HostView};
use barlow_loss::LossForm;
use barlow_model::{Activation, BuiltinBackbone, HeadNorm, LayerConfig, Model, ModelConfig};
use burn::module::AutodiffModule;
use std::hint::black_box;
use std::time::Instant;

/// A network and the size of its step.
#[derive(Clone, Debug)]
pub struct StepWorkload {
    /// The method, with two views, and heads in proportion to D where it has more than the projector.
    pub method: MethodKind,
    /// The network; its heads hold the projector alone.
    pub model: ModelConfig,
    /// View pairs of a step.
    pub batch_size: usize,
    /// Pixels of a view's side.
    pub pixels: usize,
}

/// A clock of a step in the middle of a run.
const CLOCK: Clock = Clock {
    step: 0,
    total_steps: 1,
    steps_per_epoch: 1,
};
/// Keys of MoCo v2's queue.
const QUEUE: usize = 4096;
/// Width of W-MSE's embeddings, half of the smallest batch that it can whiten.
const WHITENED: usize = 32;
/// Classes of supervised training.
const CLASSES: usize = 10;

impl StepWorkload {
    /// The method's settings: two views, heads in proportion to D.
    fn section(&self) -> MethodSection {
        let d = self.model.heads.embedding_width();
        let mut section = MethodSection::of(self.method);
        section.byol.predictor = d;
        section.simsiam.predictor = (d / 4).max(1);
        section.moco_v2.queue = QUEUE;
        section.moco_v3.predictor = d;
        section.dino.prototypes = 2 * d;
        section.dino.small_views = 0;
        section.dino.frozen_steps = 0;
        section.swav.prototypes = d;
        section.swav.small_views = 0;
        section.swav.frozen_steps = 0;
        section
    }

    fn inputs(&self, largest_buffer: Option<u64>) -> MethodInputs {
        let mut projector = self.model.heads.projector.clone();
        let last = projector.layers.last_mut().expect("a projector has a layer");
        match self.method {
            MethodKind::WMse => last.width = WHITENED,
            MethodKind::Supervised => {
                projector.layers = vec![LayerConfig {
                    width: CLASSES,
                    bias: true,
                    norm: HeadNorm::None,
                    activation: Activation::None,
                }];
            }
            _ => {}
        }
        let mut views = ViewsConfig::default().groups();
        views.iter_mut().for_each(|group| group.size = self.pixels);
        MethodInputs {
            views,
            projector,
            batch_size: self.batch_size,
            largest_buffer,
        }
    }

    fn spec(&self) -> MethodSpec {
        self.section()
            .definition(&LossSection::default())
            .spec(&self.inputs(None))
    }

    pub(super) fn time<B: TrainBackend>(&self, repeats: Repeats, device: &B::Device) -> Timing {
        let inputs = self.inputs(B::largest_buffer(device));
        let mut method = self.section().build::<B>(&LossSection::default(), &inputs);
        let spec = method.spec().clone();
        let mut model = ModelConfig::new(self.model.backbone.clone(), spec.heads.clone()).init::<B>(device, 0);
        model.heads = method.before_step(model.heads, CLOCK);
        let mut teacher = spec.teacher.clone().map(|spec| Teacher::new(spec, &model));
        let mut batch = self.batch(&spec);
        method.derive(&mut batch, CLOCK, 0);
        if method.wants_whole_set(CLOCK) {
            let mut set = WholeSet::new(self.batch_size, model.heads.projector.hidden_width());
            set.put(&batch.indices, &noise(self.batch_size * set.width(), 3));
            method.whole_set(&model.heads.valid(), &set, CLOCK, 0, &|| false);
        }
        let batch = batch.to_device::<B>(device);
        Timing::of(repeats, || {
            one_step(&model, teacher.as_mut(), method.as_mut(), batch.clone(), device)
        })
    }

    /// Views of uniform noise of mean 0 and variance 1.
    fn batch(&self, spec: &MethodSpec) -> HostBatch {
        let view = |number: usize, group: usize, size: usize| {
            let mut pixels = noise(self.batch_size * 3 * size * size, number as u64 + 1);
            pixels.iter_mut().for_each(|value| *value *= 3f32.sqrt());
            HostView { pixels, size, group }
        };
        let views = spec.views.iter().map(|group| group.count).sum();
        let sizes = spec
            .sizes_of_views()
            .into_iter()
            .zip(spec.groups_of_views())
            .take(views);
        HostBatch {
            views: sizes
                .enumerate()
                .map(|(number, (size, group))| view(number, group, size))
                .collect(),
            n: self.batch_size,
            channels: 3,
            labels: (0..self.batch_size).map(|image| Some(image % CLASSES)).collect(),
            indices: (0..self.batch_size).collect(),
        }
    }

    /// The three passes of each convolution and linear layer of backbone and projector, of all views that the network sees, and the
    /// forward pass of those that a teacher sees; norms, activations and sums only move bytes. Of the losses Barlow Twins' alone is
    /// counted, and no predictor or prototypes.
    pub(super) fn cost(&self) -> Cost {
        let spec = self.spec();
        let images = spec.online_views().len() * self.batch_size;
        let of_teacher: usize = spec.passes_of_teacher().iter().map(Vec::len).sum();
        let forward = (of_teacher * self.batch_size) as f64 / images as f64;
        let mut cost = Cost::default();
        for (number, shape) in self.model.backbone.convolutions(self.pixels).iter().enumerate() {
            // The images need no gradient.
            let passes = if number == 0 { 2 } else { 3 };
            cost += Cost::convolution(shape, images) * (f64::from(passes) + forward);
            cost += Cost::norm_and_activation(images * shape.outputs());
        }
        let mut width = self.model.backbone.feature_dim();
        for layer in &spec.heads.projector.layers {
            cost += Cost::product(images, width, layer.width) * (3.0 + forward);
            if layer.norm != HeadNorm::None {
                cost += Cost::norm_and_activation(images * layer.width);
            }
            width = layer.width;
        }
        if self.method == MethodKind::BarlowTwins {
            let loss = LossWorkload {
                form: LossForm::Auto,
                n: self.batch_size,
                d: width,
            };
            cost += loss.cost();
        }
        cost
    }
}

fn one_step<B: TrainBackend>(
    model: &Model<B>,
    mut teacher: Option<&mut Teacher<B, BuiltinBackbone<B>>>,
    method: &mut dyn Method<B>,
    batch: DeviceBatch<B>,
    device: &B::Device,
) -> f64 {
    let profile = Profile::off();
    let start = Instant::now();
    if let Some(teacher) = &mut teacher {
        teacher.update(EmaTiming::BeforeForward, model, 0.0);
    }
    let context = StepContext {
        model,
        teacher: teacher.as_deref(),
        clock: CLOCK,
        seed: 0,
        profile: &profile,
        ranks: &Ranks::alone(),
    };
    let results = black_box(step_gradients(&context, method, batch));
    if let Some(teacher) = &mut teacher {
        teacher.update(EmaTiming::AfterStep, model, 0.0);
    }
    method.after_step(CLOCK);
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
            method: MethodKind::BarlowTwins,
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

    #[test]
    fn a_step_of_every_method_takes_time_and_a_teacher_s_forward_pass_counts() {
        let step = |method| StepWorkload {
            method,
            model: ModelConfig::new(
                ResNetConfig::new(ResNetDepth::ResNet18).with_width(4),
                HeadsConfig::new(ProjectorConfig { widths: vec![16, 16] }.mlp(true)),
            ),
            batch_size: 64,
            pixels: 8,
        };
        #[cfg(feature = "cpu")]
        for &method in MethodKind::ALL {
            let repeats = Repeats { warm_up: 0, counted: 1 };
            let time = step(method).time::<burn::backend::Autodiff<burn_flex::Flex>>(repeats, &burn_flex::FlexDevice);
            assert!(time.median() > 0.0, "{}", method.name());
        }
        let operations = |method| step(method).cost().operations;
        let (two, teacher) = (operations(MethodKind::SimSiam), operations(MethodKind::Byol));
        // Three passes and one; the stem has two and one.
        let ratio = teacher / two;
        assert!((1.3..1.5).contains(&ratio), "{ratio}");
    }
}
