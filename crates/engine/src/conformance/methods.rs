//! The loss of every method but Barlow Twins, whose forms have cases of their own: value, gradients for the embeddings, and the
//! heads after a step.

use super::values::{By, Measured, Values, noise};
use crate::backend::TrainBackend;
use crate::evaluation::to_host;
use crate::method::{Clock, MethodBatch, MethodInputs, WholeSet};
use crate::methods::{LossSection, MethodKind, MethodSection};
use crate::optim::{LearningRates, Optimizer, Rule, Sgd};
use barlow_augment::ViewsConfig;
use barlow_model::{ProjectorConfig, initialize, state_dict};
use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Sums over the batch in f32, in another order, through two batch norms.
pub(super) const BOUND: f64 = 1e-4;

const N: usize = 16;
/// Width of everything but the batch: representations, hidden layers, embeddings, prototypes. A GPU tunes its products and sums once
/// for each new shape, and all methods share these.
const D: usize = 8;
const CLOCK: Clock = Clock {
    step: 0,
    total_steps: 10,
    steps_per_epoch: 5,
};

/// A method with its default settings but small heads.
#[derive(Clone, Copy, Debug)]
pub(super) struct MethodCase(MethodKind);

pub(super) fn all() -> impl Iterator<Item = MethodCase> {
    let others = |kind: &MethodKind| *kind != MethodKind::BarlowTwins;
    MethodKind::ALL.iter().copied().filter(others).map(MethodCase)
}

impl MethodCase {
    pub(super) fn values<B: TrainBackend>(self, _by: By, device: &B::Device) -> Values {
        let inputs = MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: ProjectorConfig { widths: vec![D, D] }.mlp(true),
            batch_size: N,
            largest_buffer: None,
        };
        let mut section = MethodSection::of(self.0);
        section.byol.predictor = D;
        section.simsiam.predictor = D;
        section.moco_v2.queue = N;
        section.moco_v3.predictor = D;
        section.dino.prototypes = D;
        section.dino.small_views = 1;
        section.swav.prototypes = D;
        section.swav.small_views = 1;
        section.sela.heads = 2;
        let mut method = section.build::<B>(&LossSection::default(), &inputs);
        let spec = method.spec().clone();
        let heads = initialize(spec.heads.init::<B>(D, device), 11);
        let heads = method.before_step(heads, CLOCK);
        let teacher_heads = heads.valid();
        if method.wants_whole_set(CLOCK) {
            let mut set = WholeSet::new(N, heads.projector.hidden_width());
            let indices: Vec<usize> = (0..N).collect();
            set.put(&indices, &to_host(noise::<B, 2>([N, set.width()], 21, device)));
            method.whole_set(&teacher_heads, &set, CLOCK, 5, &|| false);
        }
        let groups = spec.groups_of_views();
        // Related, as the views of an image are.
        let common = noise::<B, 2>([N, D], 20, device).inner();
        let of_view = |seed: usize| common.clone() + noise::<B, 2>([N, D], seed as u64, device).inner() * 0.5;
        let embeddings: Vec<Tensor<B, 2>> = spec
            .online_views()
            .into_iter()
            .map(|view| Tensor::from_inner(of_view(30 + view)).require_grad())
            .collect();
        let seen = |group: &usize| {
            spec.teacher
                .as_ref()
                .is_some_and(|teacher| teacher.sees.contains(group))
        };
        let teacher = groups
            .iter()
            .enumerate()
            .map(|(view, group)| seen(group).then(|| of_view(60 + view)));
        let batch = MethodBatch {
            embeddings: embeddings.clone(),
            teacher: teacher.collect(),
            teacher_heads: spec.teacher.as_ref().map(|_| &teacher_heads),
            groups: &groups,
            indices: &(0..N).collect::<Vec<_>>(),
            labels: &(0..N).map(|image| Some(image % D)).collect::<Vec<_>>(),
            clock: CLOCK,
            seed: 5,
        };
        let output = method.loss(&heads, batch);
        let name = spec.kind;
        let mut values = vec![Measured::of(format!("loss of {name}"), to_host(output.loss.clone()))];
        let gradients = output.loss.backward();
        for (view, z) in embeddings.iter().enumerate() {
            if let Some(gradient) = z.grad(&gradients) {
                values.push(Measured::of(
                    format!("loss of {name}, gradient for view {view}"),
                    to_host(gradient),
                ));
            }
        }
        let gradients = GradientsParams::from_grads(gradients, &heads);
        let rule = Rule::Sgd(Sgd {
            momentum: 0.9,
            weight_decay: 0.0,
        });
        let rates = LearningRates {
            weights: 0.1,
            biases: 0.1,
        };
        let heads = Optimizer::new(rule).step(heads, gradients, rates);
        let state = state_dict(&heads).expect("the names of the heads differ");
        values.push(Measured::of_state(format!("heads after a step of {name}"), state));
        values
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn_flex::{Flex, FlexDevice};

    #[test]
    fn every_method_has_a_loss_and_a_gradient_to_compare() {
        for case in all() {
            let values = case.values::<Autodiff<Flex>>(By::Backend, &FlexDevice);
            let name = case.0.name();
            // Loss, at least one gradient, and the heads.
            assert!(values.len() >= 3, "{name}: {}", values.len());
            for Measured { name, tensors } in values {
                let finite = tensors.iter().flatten().all(|value| value.is_finite());
                let is_zero = tensors.iter().flatten().all(|&value| value == 0.0);
                assert!(finite && !is_zero, "{name}");
            }
        }
    }
}
