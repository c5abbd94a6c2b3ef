//! The online linear probe, trained alongside the network on the representations that each step computes anyway: an accuracy
//! curve for the cost of a small matrix product. No gradient leaves it, so it does not affect the network.

use crate::evaluation::to_host;
use crate::ranks::Ranks;
use barlow_eval::LinearModel;
use barlow_model::{HostTensor, StateDict};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

/// Rate for 256 images; solo-learn's.
const RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;

/// Names of the stored tensors, in the order of [`OnlineProbe::tensors`].
const NAMES: [&str; 4] = ["weight", "bias", "weight#0", "bias#0"];

/// Weights of a linear classifier with their momentum.
#[derive(Clone, Debug)]
pub struct OnlineProbe<B: Backend> {
    /// [F, K], [1, K] and the momentum of each.
    tensors: [Tensor<B, 2>; 4],
    classes: usize,
}

impl<B: Backend> OnlineProbe<B> {
    /// A probe of zeros for F features and K classes.
    pub fn new(features: usize, classes: usize, device: &B::Device) -> Self {
        let zeros = |rows| Tensor::zeros([rows, classes], device);
        Self {
            tensors: [zeros(features), zeros(1), zeros(features), zeros(1)],
            classes,
        }
    }

    /// One step of SGD on the cross entropy of all views; gives the accuracy on the first view before the step, `[1]`, on the
    /// device. The rows are this rank's of a batch of `images`.
    ///
    /// # Panics
    /// If there is no view, or there are not as many labels as rows.
    pub fn step(
        &mut self,
        representations: Vec<Tensor<B, 2>>,
        labels: &[usize],
        factor: f64,
        ranks: &Ranks,
        images: usize,
    ) -> Tensor<B, 1> {
        let views = representations.len();
        let [n, features] = representations[0].dims();
        assert_eq!(n, labels.len(), "labels of a batch of {n}");
        let device = representations[0].device();
        let mut target = vec![0.0f32; n * self.classes];
        for (row, &label) in target.chunks_exact_mut(self.classes).zip(labels) {
            row[label] = 1.0;
        }
        let target = Tensor::<B, 2>::from_data(TensorData::new(target, [n, self.classes]), &device);
        let [weight, bias, ..] = self.tensors.clone();
        let mut gradients = [
            Tensor::zeros([features, self.classes], &device),
            Tensor::zeros([1, self.classes], &device),
        ];
        let mut correct = None;
        for x in representations {
            let logits = x.clone().matmul(weight.clone()) + bias.clone();
            if correct.is_none() {
                let wanted: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
                let wanted = Tensor::<B, 2, Int>::from_data(TensorData::new(wanted, [n, 1]), &device);
                correct = Some(logits.clone().argmax(1).equal(wanted).float().mean());
            }
            let error = (softmax(logits, 1) - target.clone()) / (views * images) as f64;
            let [of_weight, of_bias] = gradients;
            gradients = [
                of_weight + x.transpose().matmul(error.clone()),
                of_bias + error.sum_dim(0),
            ];
        }
        let mut correct = correct.expect("there is a view");
        if !ranks.is_alone() {
            let share = n as f64 / images as f64;
            (gradients, correct) = summed(gradients, correct * share, ranks);
        }
        let rate = RATE * factor;
        let moved = |value: Tensor<B, 2>, momentum: Tensor<B, 2>, gradient: Tensor<B, 2>| {
            let momentum = momentum * MOMENTUM + gradient;
            (value - momentum.clone() * rate, momentum)
        };
        let [weight, bias, of_weight, of_bias] = self.tensors.clone();
        let [weight_gradient, bias_gradient] = gradients;
        let (weight, of_weight) = moved(weight, of_weight, weight_gradient);
        let (bias, of_bias) = moved(bias, of_bias, bias_gradient);
        self.tensors = [weight, bias, of_weight, of_bias];
        correct
    }

    /// The tensors on the host, by name.
    pub fn state(&self) -> StateDict {
        let host = |tensor: &Tensor<B, 2>| HostTensor {
            shape: tensor.dims().to_vec(),
            data: tensor.to_data().convert::<f32>().to_vec().expect("converted to f32"),
        };
        NAMES
            .map(str::to_owned)
            .into_iter()
            .zip(self.tensors.iter().map(host))
            .collect()
    }

    /// The classifier as it is, for evaluation on the host.
    pub fn classifier(&self) -> LinearModel {
        let [weight, bias, ..] = &self.tensors;
        let [features, classes] = weight.dims();
        let host = |tensor: Tensor<B, 2>| -> Vec<f64> { to_host(tensor).into_iter().map(f64::from).collect() };
        LinearModel {
            classes,
            seen: (0..classes).collect(),
            mean: vec![0.0; features],
            deviation: vec![1.0; features],
            weight: host(weight.clone().transpose().reshape([classes, features])),
            bias: host(bias.clone()),
        }
    }

    /// Restores what [`OnlineProbe::state`] gave; a state of another form leaves the probe as it is.
    pub fn load_state(&mut self, state: &StateDict, device: &B::Device) {
        let fits = |(name, own): (&str, &Tensor<B, 2>)| state.get(name).is_some_and(|found| found.shape == own.dims());
        if NAMES.into_iter().zip(&self.tensors).all(fits) {
            self.tensors = NAMES.map(|name| {
                let HostTensor { shape, data } = &state[name];
                let data = TensorData::new(data.clone(), [shape[0], shape[1]]);
                Tensor::from_data(data, device)
            });
        }
    }
}

/// Gradients and accuracy summed over the ranks.
fn summed<B: Backend>(
    gradients: [Tensor<B, 2>; 2],
    correct: Tensor<B, 1>,
    ranks: &Ranks,
) -> ([Tensor<B, 2>; 2], Tensor<B, 1>) {
    let device = correct.device();
    let shapes = gradients.each_ref().map(|gradient| gradient.dims());
    let mut values: Vec<f32> = gradients.into_iter().flat_map(to_host).collect();
    values.extend(to_host(correct.reshape([1, 1])));
    ranks.sum(&mut values);
    let mut rest = values;
    let gradients = shapes.map(|shape| {
        let others = rest.split_off(shape[0] * shape[1]);
        Tensor::from_data(TensorData::new(std::mem::replace(&mut rest, others), shape), &device)
    });
    (gradients, Tensor::from_data(TensorData::new(rest, [1]), &device))
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn_flex::{Flex, FlexDevice};

    /// Two clusters a class apart, in 3 dimensions.
    fn batch(seed: usize) -> (Vec<Tensor<Flex, 2>>, Vec<usize>) {
        let labels: Vec<usize> = (0..32).map(|i| (i * 7 + seed) % 4).collect();
        let view = |shift: usize| {
            let value = |(i, label): (usize, &usize)| {
                let noise = |k: usize| ((i * 31 + k * 17 + shift + seed) as f32 * 0.7).sin() * 0.2;
                [noise(0) + (label % 2) as f32, noise(1) + (label / 2) as f32, noise(2)]
            };
            let rows: Vec<f32> = labels.iter().enumerate().flat_map(value).collect();
            Tensor::from_data(TensorData::new(rows, [32, 3]), &FlexDevice)
        };
        (vec![view(0), view(5)], labels.clone())
    }

    fn run(probe: &mut OnlineProbe<Flex>, from: usize, to: usize) -> f32 {
        let mut right = 0.0;
        for seed in from..to {
            let (views, labels) = batch(seed);
            right = probe.step(views, &labels, 1.0, &Ranks::alone(), 32).into_scalar();
        }
        right
    }

    #[test]
    fn it_learns_what_can_be_told_apart_by_planes() {
        let mut probe = OnlineProbe::new(3, 4, &FlexDevice);
        assert_eq!(run(&mut probe, 0, 1), 0.25, "it is at chance before the first step");
        assert!(run(&mut probe, 1, 200) > 0.95);
    }

    /// torch.nn.functional.cross_entropy over both views, one step of torch.optim.SGD(lr=0.1, momentum=0.9) from zeros:
    /// weight.grad = mean over the 64 rows of x · (1/4 − y).
    #[test]
    fn the_first_step_is_that_of_the_cross_entropy() {
        let (views, labels) = batch(3);
        let mut expected = [0.0f64; 12];
        for view in &views {
            let rows: Vec<f32> = view.to_data().to_vec().unwrap();
            for (row, &label) in rows.chunks_exact(3).zip(&labels) {
                for (feature, x) in row.iter().enumerate() {
                    for class in 0..4 {
                        let error = 0.25 - f64::from(u8::from(class == label));
                        expected[feature * 4 + class] -= 0.1 * f64::from(*x) * error / 64.0;
                    }
                }
            }
        }
        let mut probe = OnlineProbe::new(3, 4, &FlexDevice);
        probe.step(views, &labels, 1.0, &Ranks::alone(), 32);
        let found = &probe.state()["weight"].data;
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-7, "{found}, not {expected}");
        }
    }

    #[test]
    fn a_stored_probe_goes_on_bit_for_bit() {
        let mut whole = OnlineProbe::new(3, 4, &FlexDevice);
        run(&mut whole, 0, 6);
        let mut first = OnlineProbe::new(3, 4, &FlexDevice);
        run(&mut first, 0, 3);
        let mut second = OnlineProbe::new(3, 4, &FlexDevice);
        second.load_state(&first.state(), &FlexDevice);
        run(&mut second, 3, 6);
        assert!(whole.state() == second.state());
        second.load_state(&StateDict::new(), &FlexDevice);
        assert!(whole.state() == second.state(), "an empty state changes nothing");
    }
}
