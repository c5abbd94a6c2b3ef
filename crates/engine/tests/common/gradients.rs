//! Gradients of a model on the CPU as plain numbers, for unit and integration tests.

use barlow_model::Model;
use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_flex::Flex;

type Diff = Autodiff<Flex>;

/// All gradients, one after the other in the order of the parameters.
pub fn flat(gradients: GradientsParams, model: &Model<Diff>) -> Vec<f32> {
    struct Reader(GradientsParams, Vec<f32>);
    impl ModuleVisitor<Diff> for Reader {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
            if let Some(gradient) = self.0.get::<Flex, D>(param.id) {
                self.1.extend(gradient.into_data().to_vec::<f32>().unwrap());
            }
        }
    }
    let mut reader = Reader(gradients, Vec::new());
    model.visit(&mut reader);
    reader.1
}

/// ‖a − b‖ / ‖b‖, of more values than a projector alone has.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert!(a.len() == b.len() && a.len() > 10_000, "{} and {}", a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    difference / norm(&mut b.iter().map(|&b| f64::from(b)))
}

/// Pseudo-random pixels in [−1, 1].
pub fn pixels(count: usize, seed: usize) -> Vec<f32> {
    let value = |i: usize| (((i * 2_654_435_761 + seed * 97) % 1_000_003) as f32 * 0.37).sin();
    (0..count).map(value).collect()
}
