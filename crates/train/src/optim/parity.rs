//! The rules against PyTorch, four steps on three parameters, and against themselves across a stored state.
//!
//! The literals are of this program, in double precision:
//! ```python
//! def official_lars(params, lrs, steps, eta, clip, m=0.9, wd=0.1):      # main.py, class LARS; clip as solo-learn's
//!     mus = [None] * len(params)
//!     for k in range(steps):
//!         for i, p in enumerate(params):
//!             g = torch.sin(torch.arange(p.numel()).reshape(p.shape) * 0.7 + k)
//!             if p.ndim != 1:
//!                 g = g + wd * p; pn, un = p.norm(), g.norm()
//!                 q = eta * pn / un if pn > 0 and un > 0 else torch.tensor(1.0)
//!                 if clip and pn > 0 and un > 0: q = min(q / lrs[i], torch.tensor(1.0))
//!                 g = g * q
//!             mus[i] = g if mus[i] is None else m * mus[i] + g
//!             p -= lrs[i] * mus[i]
//! params = [cos(arange(6) * 0.3).reshape(2, 3), cos(arange(3) * 0.5), zeros(2, 2)]; lrs = [0.5, 0.25, 0.5]
//! # and torch.optim.AdamW with weight_decay 0.1, 0 for the vector, on the same gradients
//! ```

use super::{AdamW, Lars, LearningRates, Optimizer, Rule};
use barlow_model::{HostTensor, StateDict, state_dict};
use burn::backend::Autodiff;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};

type Diff = Autodiff<Flex>;

const RATES: LearningRates = LearningRates {
    weights: 0.5,
    biases: 0.25,
};

#[derive(Module, Debug)]
struct Parameters<B: Backend> {
    matrix: Param<Tensor<B, 2>>,
    vector: Param<Tensor<B, 1>>,
    zero: Param<Tensor<B, 2>>,
}

fn cosine(count: usize, factor: f64) -> Vec<f32> {
    (0..count).map(|index| (index as f64 * factor).cos() as f32).collect()
}

fn start() -> Parameters<Diff> {
    let device = FlexDevice;
    Parameters {
        matrix: Param::from_data(TensorData::new(cosine(6, 0.3), [2, 3]), &device),
        vector: Param::from_data(TensorData::new(cosine(3, 0.5), [3]), &device),
        zero: Param::from_data(TensorData::new(vec![0.0f32; 4], [2, 2]), &device),
    }
}

/// Gradients `sin(0.7 i + k)`, as those of a linear loss.
fn gradients(model: &Parameters<Diff>, k: usize) -> GradientsParams {
    fn term<const D: usize>(value: Tensor<Diff, D>, k: usize) -> Tensor<Diff, 1> {
        let count = value.dims().iter().product();
        let slope: Vec<f32> = (0..count)
            .map(|i: usize| (i as f64 * 0.7 + k as f64).sin() as f32)
            .collect();
        let slope = Tensor::<Diff, D>::from_data(TensorData::new(slope, value.dims()), &FlexDevice);
        (value * slope).sum()
    }
    let loss = term(model.matrix.val(), k) + term(model.vector.val(), k) + term(model.zero.val(), k);
    GradientsParams::from_grads(loss.backward(), model)
}

fn steps(mut model: Parameters<Diff>, optimizer: &mut Optimizer<Flex>, from: usize, to: usize) -> Parameters<Diff> {
    for k in from..to {
        let gradients = gradients(&model, k);
        model = optimizer.step(model, gradients, RATES);
    }
    model
}

fn values(model: &Parameters<Diff>) -> [Vec<f32>; 3] {
    let matrix = model.matrix.val().into_data().to_vec().unwrap();
    let vector = model.vector.val().into_data().to_vec().unwrap();
    [matrix, vector, model.zero.val().into_data().to_vec().unwrap()]
}

fn check(rule: Rule, expected: [&[f64]; 3]) {
    let found = values(&steps(start(), &mut Optimizer::new(rule), 0, 4));
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < 2e-6,
                "{found} is not {expected} ({rule:?})"
            );
        }
    }
}

fn lars(trust_coefficient: f64, clip: bool) -> Rule {
    Rule::Lars(Lars {
        momentum: 0.9,
        weight_decay: 0.1,
        trust_coefficient,
        clip,
    })
}

const VECTOR: &[f64] = &[-0.03729278, -0.41868286, -0.40528168];

#[test]
fn lars_is_the_official_one() {
    let matrix = &[0.99760172, 0.95247516, 0.82319079, 0.62104681, 0.36353305, 0.0730352];
    let zero = &[-0.00154173, -1.1083766, -1.69392469, -1.4827936];
    check(lars(0.001, false), [matrix, VECTOR, zero]);
}

#[test]
fn clipped_lars_never_exceeds_the_given_rate() {
    let matrix = &[0.90694792, 0.84207272, 0.73865394, 0.59668341, 0.406696, 0.16103102];
    let zero = &[-0.06179265, -1.1334627, -1.67204758, -1.42424243];
    check(lars(0.02, true), [matrix, VECTOR, zero]);
}

#[test]
fn adamw_is_that_of_torch() {
    let matrix = &[
        -0.31226175,
        -0.78190404,
        -0.49747296,
        -0.02703862,
        0.69432954,
        1.69143318,
    ];
    let vector = &[0.40773327, 0.02610086, -0.11146507];
    let zero = &[-1.126768, -1.56003159, -1.16971398, -0.53334379];
    check(Rule::AdamW(AdamW::new(0.1)), [matrix, vector, zero]);
}

#[test]
fn a_stored_state_goes_on_bit_for_bit() {
    for rule in [lars(0.001, false), Rule::AdamW(AdamW::new(0.1))] {
        let mut whole = Optimizer::new(rule);
        let expected = values(&steps(start(), &mut whole, 0, 6));
        let mut first = Optimizer::new(rule);
        let model = steps(start(), &mut first, 0, 3);
        let mut second = Optimizer::new(rule);
        second
            .load_state(&first.state(), &state_dict(&model), 3, &FlexDevice)
            .unwrap();
        assert_eq!(values(&steps(model, &mut second, 3, 6)), expected);
    }
}

#[test]
fn a_state_of_another_form_is_an_error() {
    let tensor = |shape: &[usize]| HostTensor {
        shape: shape.to_vec(),
        data: vec![0.0; shape.iter().product()],
    };
    let model = StateDict::from([("w".to_owned(), tensor(&[2, 3]))]);
    for (key, shape, says) in [
        ("w", &[2, 3][..], "w is no optimiser buffer"),
        ("v#0", &[2, 3], "v#0 belongs to no parameter"),
        ("w#0", &[6], "two axes"),
        ("w#0", &[2, 2], "its parameter [2, 3]"),
        ("w#1", &[2, 3], "buffer 0 is missing"),
    ] {
        let state = StateDict::from([(key.to_owned(), tensor(shape))]);
        let mut optimizer = Optimizer::<Flex>::new(lars(0.001, false));
        let error = optimizer.load_state(&state, &model, 1, &FlexDevice).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}
