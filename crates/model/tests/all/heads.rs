//! Tests of the heads: projector, predictor and prototypes against small reference formulas, and their names in a model.

use crate::common;

use barlow_model::{
    Activation, BatchNormConfig, HeadNorm, Heads, HeadsConfig, LayerConfig, Linear, LinearConfig, MlpConfig, Model,
    ModelConfig, NormMode, ParamKind, Prototypes, PrototypesConfig, ResNetConfig, ResNetDepth, StateDict, Stem,
    initialize, named_shapes,
};
use burn::module::AutodiffModule;
use common::{Cpu, Train, assert_close, fill, gradients, host, images, norm, tensors};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::Gelu];
const NORMS: [HeadNorm; 4] = [HeadNorm::None, HeadNorm::Affine, HeadNorm::ScaleOnly, HeadNorm::Plain];

fn layer(width: usize, bias: bool, norm: HeadNorm, activation: Activation) -> LayerConfig {
    LayerConfig {
        width,
        bias,
        norm,
        activation,
    }
}

/// The form of BYOL's projector and predictor: a bias before the norm, none in the last layer.
fn byol_mlp(hidden: usize, width: usize) -> MlpConfig {
    MlpConfig {
        layers: vec![
            layer(hidden, true, HeadNorm::Affine, Activation::Relu),
            layer(width, false, HeadNorm::None, Activation::None),
        ],
    }
}

/// One layer of torch's `nn.Sequential` in f64, from a state dict and the layer's index: rows [N, in] → [N, out].
fn reference(
    rows: &[Vec<f64>],
    state: &StateDict,
    index: usize,
    activation: Activation,
    mode: NormMode,
) -> Vec<Vec<f64>> {
    let vector = |name: String| -> Option<Vec<f64>> {
        let tensor = state.get(&name)?;
        Some(tensor.data.iter().map(|&v| f64::from(v)).collect())
    };
    let (linear, norm) = (3 * index, 3 * index + 1);
    let weight = vector(format!("{linear}.weight")).unwrap();
    let width = state[&format!("{linear}.weight")].shape[0];
    let bias = vector(format!("{linear}.bias")).unwrap_or(vec![0.0; width]);
    let mut out: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            let inner = |to: usize| -> f64 { row.iter().zip(&weight[to * row.len()..]).map(|(x, w)| x * w).sum() };
            (0..width).map(|to| inner(to) + bias[to]).collect()
        })
        .collect();
    if let Some(running_mean) = vector(format!("{norm}.running_mean")) {
        let running_var = vector(format!("{norm}.running_var")).unwrap();
        let scale = vector(format!("{norm}.weight")).unwrap_or(vec![1.0; width]);
        let shift = vector(format!("{norm}.bias")).unwrap_or(vec![0.0; width]);
        for j in 0..width {
            let mean = |f: &dyn Fn(f64) -> f64| out.iter().map(|row| f(row[j])).sum::<f64>() / out.len() as f64;
            let (centre, variance) = match mode {
                NormMode::Eval => (running_mean[j], running_var[j]),
                _ => {
                    let centre = mean(&|v| v);
                    (centre, mean(&|v| (v - centre).powi(2)))
                }
            };
            for row in &mut out {
                row[j] = (row[j] - centre) / (variance + 1e-5).sqrt() * scale[j] + shift[j];
            }
        }
    }
    let activate = |v: f64| match activation {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::Gelu => v * normal_distribution(v),
    };
    out.into_iter()
        .map(|row| row.into_iter().map(activate).collect())
        .collect()
}

/// Φ(x) by its Taylor series ½ + φ-free Σ (−1)ᵏ x²ᵏ⁺¹ / (2ᵏ k! (2k + 1)) / √(2π); |x| stays below 6 here.
fn normal_distribution(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for k in 1..120 {
        term *= -x * x / (2.0 * f64::from(k));
        sum += term / f64::from(2 * k + 1);
    }
    0.5 + sum / (2.0 * std::f64::consts::PI).sqrt()
}

#[test]
fn every_kind_of_layer_follows_its_formula() {
    let x = images::<Cpu, 2>([7, 5]);
    let rows: Vec<Vec<f64>> = host(x.clone())
        .data
        .chunks(5)
        .map(|row| row.iter().map(|&v| f64::from(v)).collect())
        .collect();
    for norm in NORMS {
        for activation in ACTIVATIONS {
            for bias in [false, true] {
                let config = MlpConfig {
                    layers: vec![layer(6, bias, norm, activation), layer(4, !bias, norm, activation)],
                };
                let mlp = fill(config.init::<Cpu>(5, &Default::default()));
                let state = tensors(&mlp);
                for mode in [NormMode::TrainFrozenStats, NormMode::Eval] {
                    let hidden = reference(&rows, &state, 0, activation, mode);
                    let expected = reference(&hidden, &state, 1, activation, mode).concat();
                    let y = host(mlp.forward(x.clone(), mode));
                    assert_eq!(y.shape, [7, 4]);
                    assert_close(
                        &format!("{norm:?} {activation:?} {bias} {mode:?}"),
                        &y.data,
                        &expected,
                        2e-5,
                    );
                }
            }
        }
    }
}

#[test]
fn norms_have_the_parameters_that_their_form_needs() {
    for (norm, expected) in [
        (HeadNorm::None, &["0.weight"][..]),
        (HeadNorm::Plain, &["0.weight", "1.running_mean", "1.running_var"]),
        (
            HeadNorm::ScaleOnly,
            &["0.weight", "1.weight", "1.running_mean", "1.running_var"],
        ),
        (
            HeadNorm::Affine,
            &["0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var"],
        ),
    ] {
        let config = MlpConfig {
            layers: vec![layer(3, false, norm, Activation::None)],
        };
        let names: Vec<_> = named_shapes(&config.init::<Cpu>(2, &Default::default()))
            .into_iter()
            .map(|named| named.name)
            .collect();
        assert_eq!(names, expected, "{norm:?}");
    }
    let scale_only = BatchNormConfig::new(3)
        .with_shift(false)
        .init::<Cpu>(&Default::default());
    assert!(scale_only.weight.is_some() && scale_only.bias.is_none());
}

/// A bias before a batch norm has a zero gradient, because the norm subtracts it; every other parameter has a non-zero one.
#[test]
fn every_parameter_gets_its_gradient() {
    let config = MlpConfig {
        layers: vec![
            layer(6, true, HeadNorm::None, Activation::Gelu),
            layer(5, false, HeadNorm::ScaleOnly, Activation::Relu),
            layer(4, true, HeadNorm::Plain, Activation::None),
        ],
    };
    let mlp = fill(config.init::<Train>(7, &Default::default()));
    let x = images::<Train, 2>([9, 7]).require_grad();
    let found = gradients(&mlp, &x, mlp.forward(x.clone(), NormMode::Train));
    for named in named_shapes(&mlp) {
        if named.kind == ParamKind::RunningStatistic {
            assert!(!found.contains_key(&named.name), "{}", named.name);
            continue;
        }
        let gradient = &found[&named.name];
        assert_eq!(gradient.shape, named.shape, "{}", named.name);
        assert_eq!(norm(gradient) > 1e-3, named.name != "6.bias", "{}", named.name);
    }
}

#[test]
fn a_linear_layer_adds_its_bias() {
    let with = LinearConfig::new(5, 3).with_bias(true);
    let with: Linear<Cpu> = fill(with.init(&Default::default()));
    let without = Linear {
        weight: with.weight.clone(),
        bias: None,
    };
    let x = images::<Cpu, 2>([4, 5]);
    let difference = host(with.forward(x.clone()) - without.forward(x));
    let bias: Vec<f64> = tensors(&with)["bias"].data.iter().map(|&v| f64::from(v)).collect();
    assert_close("bias", &difference.data, &bias.repeat(4), 1e-6);
}

#[test]
fn prototypes_are_rows_that_embeddings_are_compared_with() {
    for bias in [false, true] {
        let config = PrototypesConfig {
            count: 3,
            bias,
            unit_rows: false,
        };
        let prototypes: Prototypes<Cpu> = fill(config.init(5, &Default::default()));
        let state = tensors(&prototypes);
        assert_eq!(state["weight"].shape, [3, 5]);
        assert_eq!(state.contains_key("bias"), bias);
        let x = images::<Cpu, 2>([4, 5]);
        let rows = host(x.clone()).data;
        let mut expected = Vec::new();
        for row in rows.chunks(5) {
            for k in 0..3 {
                let inner = |(x, w): (&f32, &f32)| f64::from(*x) * f64::from(*w);
                let score: f64 = row.iter().zip(&state["weight"].data[5 * k..]).map(inner).sum();
                expected.push(score + state.get("bias").map_or(0.0, |bias| f64::from(bias.data[k])));
            }
        }
        let scores = host(prototypes.forward(x));
        assert_eq!(scores.shape, [4, 3]);
        assert_close("scores", &scores.data, &expected, 1e-6);
        assert_eq!(tensors(&prototypes.normalized()), state, "unit_rows is off");
    }
}

#[test]
fn normalized_prototypes_have_unit_length_and_are_trained_on() {
    let config = PrototypesConfig {
        count: 3,
        bias: true,
        unit_rows: true,
    };
    let prototypes: Prototypes<Train> = fill(config.init(5, &Default::default()));
    let (before, id) = (tensors(&prototypes), prototypes.weight.id);
    let prototypes = prototypes.normalized();
    let after = tensors(&prototypes);
    assert_eq!(after["bias"], before["bias"]);
    for (before, after) in before["weight"].data.chunks(5).zip(after["weight"].data.chunks(5)) {
        let length = before.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let expected: Vec<f64> = before.iter().map(|&v| f64::from(v) / length).collect();
        assert_close("row", after, &expected, 1e-6);
    }
    assert_eq!(prototypes.weight.id, id);
    let x = images::<Train, 2>([4, 5]).require_grad();
    let found = gradients(&prototypes, &x, prototypes.forward(x.clone()));
    assert_eq!(found["weight"].shape, [3, 5]);
    assert_eq!(found["bias"].shape, [3]);
    // Also on the plain backend, where nothing requires a gradient.
    assert_eq!(tensors(&prototypes.valid().normalized())["weight"].shape, [3, 5]);
}

#[test]
fn a_zero_prototype_stays_zero() {
    let config = PrototypesConfig {
        count: 2,
        bias: false,
        unit_rows: true,
    };
    let prototypes: Prototypes<Cpu> = config.init(3, &Default::default());
    assert_eq!(tensors(&prototypes.normalized())["weight"].data, [0.0; 6]);
}

fn full_model() -> ModelConfig {
    let backbone = ResNetConfig::new(ResNetDepth::ResNet18)
        .with_stem(Stem::Cifar)
        .with_width(4);
    let prototypes = |count, bias| PrototypesConfig {
        count,
        bias,
        unit_rows: !bias,
    };
    ModelConfig::new(
        backbone,
        HeadsConfig {
            projector: byol_mlp(12, 8),
            predictor: Some(byol_mlp(10, 8)),
            prototypes: vec![prototypes(6, false), prototypes(7, true)],
        },
    )
}

#[test]
fn heads_have_the_names_and_kinds_of_torch_s_modules() {
    let model: Model<Cpu> = full_model().init_zeros(&Default::default());
    let heads: Vec<_> = named_shapes(&model)
        .into_iter()
        .filter(|named| !named.name.starts_with("backbone."))
        .map(|named| (named.name, named.shape, named.kind))
        .collect();
    let expected: [(&str, &[usize], ParamKind); 17] = [
        ("projector.0.weight", &[12, 32], ParamKind::Linear),
        ("projector.0.bias", &[12], ParamKind::Bias),
        ("projector.1.weight", &[12], ParamKind::Norm),
        ("projector.1.bias", &[12], ParamKind::Norm),
        ("projector.1.running_mean", &[12], ParamKind::RunningStatistic),
        ("projector.1.running_var", &[12], ParamKind::RunningStatistic),
        ("projector.3.weight", &[8, 12], ParamKind::Linear),
        ("predictor.0.weight", &[10, 8], ParamKind::Linear),
        ("predictor.0.bias", &[10], ParamKind::Bias),
        ("predictor.1.weight", &[10], ParamKind::Norm),
        ("predictor.1.bias", &[10], ParamKind::Norm),
        ("predictor.1.running_mean", &[10], ParamKind::RunningStatistic),
        ("predictor.1.running_var", &[10], ParamKind::RunningStatistic),
        ("predictor.3.weight", &[8, 10], ParamKind::Linear),
        ("prototypes.0.weight", &[6, 8], ParamKind::Linear),
        ("prototypes.1.weight", &[7, 8], ParamKind::Linear),
        ("prototypes.1.bias", &[7], ParamKind::Bias),
    ];
    let expected = expected.map(|(name, shape, kind)| (name.to_owned(), shape.to_vec(), kind));
    assert_eq!(heads, expected);
}

#[test]
fn heads_work_in_a_model_and_alone() {
    let config = full_model();
    assert_eq!(config.heads.embedding_width(), 8);
    let model: Model<Cpu> = config.init(&Default::default(), 3);
    let output = model.forward(images([4, 3, 8, 8]), NormMode::Train);
    assert_eq!(output.embeddings.dims(), [4, 8]);
    let Heads {
        predictor, prototypes, ..
    } = &model.heads;
    let predictions = predictor
        .as_ref()
        .unwrap()
        .forward(output.embeddings.clone(), NormMode::Train);
    assert_eq!(predictions.dims(), [4, 8]);
    let scores: Vec<_> = prototypes
        .iter()
        .map(|layer| layer.forward(output.embeddings.clone()).dims())
        .collect();
    assert_eq!(scores, [[4, 6], [4, 7]]);
    let alone: Heads<Cpu> = initialize(config.heads.init(32, &Default::default()), 3);
    let names = |state: StateDict| state.into_keys().collect::<Vec<_>>();
    let within: StateDict = tensors(&model)
        .into_iter()
        .filter(|(name, _)| !name.starts_with("backbone."))
        .collect();
    assert_eq!(tensors(&alone)["predictor.0.weight"], within["predictor.0.weight"]);
    assert_eq!(names(tensors(&alone)), names(within));
}

#[test]
#[should_panic(expected = "an MLP needs layers wider than 0, got []")]
fn an_mlp_without_layers_is_refused() {
    MlpConfig { layers: Vec::new() }.init::<Cpu>(4, &Default::default());
}
