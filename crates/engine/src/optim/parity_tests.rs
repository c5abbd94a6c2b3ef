//! Tests of the rules against PyTorch, over ten steps of warm-up and decay on three parameters, and across a stored and restored
//! state.
//!
//! `goldens/optimizers.json` is what this program prints (torch 2.15):
//!
//! ```python
//! import json, torch
//! torch.set_default_dtype(torch.float64)
//! FACTORS = [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 0.9, 0.7, 0.4, 0.1]
//! RATES, WD, M = (0.5, 0.25), 0.1, 0.9
//!
//! class Lars(torch.optim.Optimizer):          # the official rule; `clip` is solo-learn's, `apart` Apex's LARC, `inside` SimCLR's
//!     def __init__(self, groups, eta, clip, apart=False, inside=False):
//!         super().__init__(groups, dict(lr=0.0, eta=eta, clip=clip, apart=apart, inside=inside))
//!     def step(self):
//!         for group in self.param_groups:
//!             for p in group["params"]:
//!                 d = p.grad
//!                 if p.ndim != 1 and group["apart"]:
//!                     pn, gn = p.data.norm(), d.norm()
//!                     if pn > 0 and gn > 0: d = group["eta"] * pn / (gn + WD * pn + 1e-8) * (d + WD * p.data)
//!                 elif p.ndim != 1:
//!                     d = d + WD * p.data
//!                     pn, dn = p.data.norm(), d.norm()
//!                     if pn > 0 and dn > 0:
//!                         q = group["eta"] * pn / dn
//!                         if group["clip"]: q = torch.clamp(q / group["lr"], max=1.0) if group["lr"] > 0 else 1.0
//!                         d = d * q
//!                 mu = self.state[p].setdefault("mu", torch.zeros_like(p))
//!                 mu.mul_(M).add_(d * group["lr"] if group["inside"] else d)
//!                 p.data.add_(mu, alpha=-1.0 if group["inside"] else -group["lr"])
//!
//! def run(make):
//!     shapes = [((5, 7), 0.3), ((7,), 0.5), ((2, 2), None)]
//!     params = [torch.nn.Parameter(torch.zeros(s) if f is None else torch.cos(torch.arange(torch.Size(s).numel()) * f).reshape(s)) for s, f in shapes]
//!     groups = [dict(params=[p for p in params if p.ndim > 1]), dict(params=[p for p in params if p.ndim == 1])]
//!     optimizer, after = make(groups), []
//!     for k, factor in enumerate(FACTORS):
//!         for group, rate in zip(optimizer.param_groups, RATES): group["lr"] = rate * factor
//!         for p in params: p.grad = torch.sin(torch.arange(p.numel()) * 0.7 + k).reshape(p.shape)
//!         optimizer.step()
//!         after.append([[float(f"{v:.9e}") for v in p.detach().flatten().tolist()] for p in params])
//!     return after
//!
//! def decayed(groups): return [dict(groups[0], weight_decay=WD), dict(groups[1], weight_decay=0.0)]
//! rules = {
//!     "lars": lambda g: Lars(g, 0.001, False),
//!     "lars clipped": lambda g: Lars(g, 0.02, True),
//!     "larc": lambda g: Lars(g, 0.02, False, apart=True),
//!     "lars inside": lambda g: Lars(g, 0.02, False, inside=True),
//!     "sgd": lambda g: torch.optim.SGD(decayed(g), lr=0.1, momentum=M),
//!     "adamw": lambda g: torch.optim.AdamW(decayed(g), lr=0.1),
//! }
//! print("{\n" + ",\n".join(f'"{name}": {json.dumps(run(make))}' for name, make in rules.items()) + "\n}")
//! ```

use super::{
    AdamW, Lars, LearningRates, Optimizer, OptimizerStateError, ParamRule, RateRule, Rule, Select, Sgd, StepRates,
};
use barlow_model::{HostTensor, ParamKind, StateDict, state_dict};
use burn::backend::Autodiff;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use std::collections::BTreeMap;

type Diff = Autodiff<Flex>;

const FACTORS: [f64; 10] = [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 0.9, 0.7, 0.4, 0.1];
const RATES: LearningRates = LearningRates {
    weights: 0.5,
    biases: 0.25,
};

/// Named as the model's, so that its parameter is of the same kind: neither decayed nor adapted.
#[derive(Module, Debug)]
struct BatchNorm<B: Backend> {
    weight: Param<Tensor<B, 1>>,
}

#[derive(Module, Debug)]
struct Parameters<B: Backend> {
    matrix: Param<Tensor<B, 2>>,
    vector: BatchNorm<B>,
    zero: Param<Tensor<B, 2>>,
}

fn cosine(count: usize, factor: f64) -> Vec<f32> {
    (0..count).map(|index| (index as f64 * factor).cos() as f32).collect()
}

fn start() -> Parameters<Diff> {
    let device = FlexDevice;
    Parameters {
        matrix: Param::from_data(TensorData::new(cosine(35, 0.3), [5, 7]), &device),
        vector: BatchNorm {
            weight: Param::from_data(TensorData::new(cosine(7, 0.5), [7]), &device),
        },
        zero: Param::from_data(TensorData::new(vec![0.0f32; 4], [2, 2]), &device),
    }
}

/// Gradients `sin(0.7 i + k)`, as those of a linear loss.
fn gradients(model: &Parameters<Diff>, k: usize) -> GradientsParams {
    fn term<const D: usize>(value: Tensor<Diff, D>, k: usize) -> Tensor<Diff, 1> {
        let count = value.dims().iter().product();
        let gradient: Vec<f32> = (0..count)
            .map(|i: usize| (i as f64 * 0.7 + k as f64).sin() as f32)
            .collect();
        let gradient = Tensor::<Diff, D>::from_data(TensorData::new(gradient, value.dims()), &FlexDevice);
        (value * gradient).sum()
    }
    let loss = term(model.matrix.val(), k) + term(model.vector.weight.val(), k) + term(model.zero.val(), k);
    GradientsParams::from_grads(loss.backward(), model)
}

fn steps(mut model: Parameters<Diff>, optimizer: &mut Optimizer<Flex>, from: usize, to: usize) -> Parameters<Diff> {
    for (k, &factor) in FACTORS.iter().enumerate().take(to).skip(from) {
        let gradients = gradients(&model, k);
        model = optimizer.step(model, gradients, RATES.scaled(factor));
    }
    model
}

fn values(model: &Parameters<Diff>) -> [Vec<f32>; 3] {
    let matrix = model.matrix.val().into_data().to_vec().unwrap();
    let vector = model.vector.weight.val().into_data().to_vec().unwrap();
    [matrix, vector, model.zero.val().into_data().to_vec().unwrap()]
}

fn lars(trust_coefficient: f64, clip: bool) -> Rule {
    Rule::Lars(Lars {
        momentum: 0.9,
        weight_decay: 0.1,
        trust_coefficient,
        clip,
        separate_norms: false,
        rate_in_momentum: false,
    })
}

/// The variants of other methods: Apex's LARC, and SimCLR's LARS.
fn variant(separate_norms: bool, rate_in_momentum: bool) -> Rule {
    Rule::Lars(Lars {
        momentum: 0.9,
        weight_decay: 0.1,
        trust_coefficient: 0.02,
        clip: false,
        separate_norms,
        rate_in_momentum,
    })
}

fn sgd() -> Rule {
    Rule::Sgd(Sgd {
        momentum: 0.9,
        weight_decay: 0.1,
    })
}

/// The values of the three parameters after each step, by rule.
fn goldens() -> BTreeMap<String, Vec<[Vec<f64>; 3]>> {
    serde_json::from_str(include_str!("goldens/optimizers.json")).expect("the goldens are what their program printed")
}

#[test]
fn every_step_of_every_rule_is_that_of_pytorch() {
    let goldens = goldens();
    for (name, rule) in [
        ("lars", lars(0.001, false)),
        ("lars clipped", lars(0.02, true)),
        ("larc", variant(true, false)),
        ("lars inside", variant(false, true)),
        ("sgd", sgd()),
        ("adamw", Rule::AdamW(AdamW::new(0.1))),
    ] {
        let mut optimizer = Optimizer::new(rule);
        let mut model = start();
        let expected = &goldens[name];
        assert_eq!(expected.len(), FACTORS.len());
        for (step, expected) in expected.iter().enumerate() {
            model = steps(model, &mut optimizer, step, step + 1);
            for (found, expected) in values(&model).iter().zip(expected) {
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(
                        error <= 1e-5 * expected.abs().max(1.0),
                        "{name}, step {step}: {found}, not {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_stored_state_goes_on_bit_for_bit() {
    for rule in [
        lars(0.001, false),
        variant(true, true),
        sgd(),
        Rule::AdamW(AdamW::new(0.1)),
    ] {
        let mut whole = Optimizer::new(rule);
        let expected = values(&steps(start(), &mut whole, 0, 6));
        let mut first = Optimizer::new(rule);
        let model = steps(start(), &mut first, 0, 3);
        let mut second = Optimizer::new(rule);
        second
            .load_state(&first.state(), &state_dict(&model).unwrap(), 3, &FlexDevice)
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
    let load = |rule, entries: &[(&str, &[usize])]| {
        let entries = entries.iter().map(|(key, shape)| ((*key).to_owned(), tensor(shape)));
        let mut optimizer = Optimizer::<Flex>::new(rule);
        let loaded = optimizer.load_state(&entries.collect(), &model, 1, &FlexDevice);
        loaded.map(|()| optimizer)
    };
    for (key, shape, says) in [
        ("w", &[2, 3][..], "w is not an optimiser buffer"),
        ("v#0", &[2, 3], "v#0 belongs to no parameter"),
        ("w#0", &[6], "has shape [6]"),
        ("w#0", &[2, 2], "its parameter [2, 3]"),
        ("w#1", &[2, 3], "w#1 is not an optimiser buffer"),
    ] {
        let error = load(lars(0.001, false), &[(key, shape)]).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    // Another rule's state is not taken for zeros.
    let adamw = Rule::AdamW(AdamW::new(0.1));
    let error = load(adamw, &[("w#0", &[2, 3])]).unwrap_err().to_string();
    assert!(error.contains("1 optimiser buffers, and adamw has 2"), "{error}");
    let two: [(&str, &[usize]); 2] = [("w#0", &[2, 3]), ("w#1", &[2, 3])];
    let error = load(sgd(), &two).unwrap_err().to_string();
    assert!(error.contains("2 optimiser buffers, and sgd has 1"), "{error}");
    let optimizer = load(adamw, &two).unwrap();
    assert_eq!(optimizer.check_complete([("w", ParamKind::Linear)]), Ok(()));
    assert_eq!(
        optimizer.check_complete([("w", ParamKind::Linear), ("x", ParamKind::Norm)]),
        Err(OptimizerStateError::Missing {
            parameter: "x".into(),
            step: 1
        })
    );
    assert_eq!(optimizer.check_complete([("x", ParamKind::RunningStatistic)]), Ok(()));
}

#[test]
fn a_methods_rules_freeze_hold_a_rate_and_drop_gradients() {
    let rule = |select, change: fn(&mut ParamRule)| {
        let mut rule = ParamRule::new(select);
        change(&mut rule);
        rule
    };
    let run = |rules: Vec<ParamRule>, factor: f64| {
        let mut optimizer = Optimizer::new(sgd()).with_rules(rules);
        let rates = StepRates {
            now: RATES.scaled(factor),
            peak: RATES,
        };
        let mut model = start();
        for k in 0..2 {
            let gradients = gradients(&model, k);
            model = optimizer.step(model, gradients, rates);
        }
        values(&model)
    };
    let plain = run(Vec::new(), 1.0);
    let frozen = run(
        vec![rule(Select::Prefix("matrix".into()), |r| r.frozen_until = Some(2))],
        1.0,
    );
    assert_eq!((&frozen[0], &frozen[1]), (&values(&start())[0], &plain[1]));
    let constant = run(vec![rule(Select::All, |r| r.rate = Some(RateRule::Constant))], 0.0);
    assert_eq!(constant, plain);
    assert_ne!(run(Vec::new(), 0.0), plain);
    let decayed = run(vec![rule(Select::Kind(ParamKind::Norm), |r| r.decay = Some(true))], 1.0);
    assert_eq!(decayed[0], plain[0]);
    assert_ne!(decayed[1], plain[1]);

    let mut optimizer = Optimizer::new(sgd());
    let model = start();
    let gradients = gradients(&model, 0);
    let mut seen = Vec::new();
    let moved = optimizer.step_with(model, gradients, RATES, &mut |name, kind, gradient| {
        seen.push((name.to_owned(), kind));
        (kind == ParamKind::Norm).then_some(gradient)
    });
    assert_eq!(values(&moved)[0], values(&start())[0], "its gradient was dropped");
    assert_ne!(values(&moved)[1], values(&start())[1]);
    assert!(
        seen.contains(&("vector.weight".to_owned(), ParamKind::Norm)),
        "{seen:?}"
    );
}
