//! Tests of names, kinds, layouts and initial values of custom modules.

use crate::common;

use barlow_model::{
    BatchNorm, BatchNormConfig, DeclaredParam, Heads, HeadsConfig, Linear, LinearConfig, NamedShape, ParamKind,
    ProjectorConfig, RunningStatistic, StateError, check_names, check_state_dict, initialize, load_state_dict,
    named_shapes, parameter_count, state_dict,
};
use burn::module::{
    AutodiffModule, Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
};
use burn::nn;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use common::{Cpu, Train, fill, host, images, tensors};

fn param<B: Backend, const D: usize>(shape: [usize; D]) -> Param<Tensor<B, D>> {
    Param::from_tensor(images(shape))
}

fn names(shapes: &[NamedShape]) -> Vec<&str> {
    shapes.iter().map(|named| named.name.as_str()).collect()
}

#[derive(Module, Debug)]
struct Stages<B: Backend> {
    layers: Named<B>,
    blocks: Stack<B>,
}

/// The path element below `layers` is a field name, not an index.
#[derive(Module, Debug)]
struct Named<B: Backend> {
    first: Pair<B>,
}

/// Has fields with the names of those of an `Mlp`'s layers.
#[derive(Module, Debug)]
struct Stack<B: Backend> {
    layers: Vec<Pair<B>>,
    downsample: ConvFreeShortcut<B>,
}

#[derive(Module, Debug)]
struct Pair<B: Backend> {
    linear: Linear<B>,
    norm: BatchNorm<B>,
}

/// Has fields with the names of a `Downsample`.
#[derive(Module, Debug)]
struct ConvFreeShortcut<B: Backend> {
    conv: Linear<B>,
    norm: BatchNorm<B>,
}

#[test]
fn fields_of_foreign_structs_keep_their_names() {
    let device = Default::default();
    let linear = || LinearConfig::new(3, 2).init::<Cpu>(&device);
    let norm = || BatchNormConfig::new(2).with_affine(false).init::<Cpu>(&device);
    let pair = || Pair {
        linear: linear(),
        norm: norm(),
    };
    let module = Stages {
        layers: Named { first: pair() },
        blocks: Stack {
            layers: vec![pair(), pair()],
            downsample: ConvFreeShortcut {
                conv: linear(),
                norm: norm(),
            },
        },
    };
    let shapes = named_shapes(&module);
    let pair =
        |path: &str| ["linear.weight", "norm.running_mean", "norm.running_var"].map(|field| format!("{path}.{field}"));
    let expected = [
        pair("layers.first"),
        pair("blocks.layers.0"),
        pair("blocks.layers.1"),
        pair("blocks.downsample").map(|name| name.replace("linear", "conv")),
    ];
    assert_eq!(names(&shapes), expected.concat());
    assert_eq!(check_names(&module), Ok(()));
    assert_eq!(tensors(&fill(module)).len(), 12);
}

#[derive(Module, Debug)]
struct Transformer<B: Backend> {
    table: nn::Embedding<B>,
    class_token: DeclaredParam<B, 3>,
    positions: Vec<DeclaredParam<B, 2>>,
    raw: Param<Tensor<B, 2>>,
    raw_vector: Param<Tensor<B, 1>>,
    mixing: DeclaredParam<B, 2>,
    patches: nn::conv::Conv2d<B>,
    series: nn::conv::Conv1d<B>,
    linear: nn::Linear<B>,
    layer_norm: nn::LayerNorm<B>,
    group_norm: nn::GroupNorm<B>,
    batch_norm: nn::BatchNorm<B>,
    statistic: RunningStatistic<B>,
}

fn transformer<B: Backend>() -> Transformer<B> {
    let device = &Default::default();
    Transformer {
        table: nn::EmbeddingConfig::new(5, 3).init(device),
        class_token: DeclaredParam::new(ParamKind::Token, param([1, 1, 3])),
        positions: vec![DeclaredParam::new(ParamKind::Token, param([4, 3]))],
        raw: param([4, 3]),
        raw_vector: param([3]),
        mixing: DeclaredParam::new(ParamKind::Linear, param([4, 3])),
        patches: nn::conv::Conv2dConfig::new([3, 6], [2, 2]).init(device),
        series: nn::conv::Conv1dConfig::new(4, 6, 3).with_groups(2).init(device),
        linear: nn::LinearConfig::new(7, 5).init(device),
        layer_norm: nn::LayerNormConfig::new(3).init(device),
        group_norm: nn::GroupNormConfig::new(1, 3).init(device),
        batch_norm: nn::BatchNormConfig::new(3).init(device),
        statistic: RunningStatistic::new(Tensor::ones([2], device)),
    }
}

#[test]
fn kinds_follow_from_types_and_declarations() {
    let shapes = named_shapes(&transformer::<Cpu>());
    let found: Vec<_> = shapes
        .iter()
        .map(|named| (named.name.as_str(), &named.shape[..], named.kind))
        .collect();
    let expected: [(&str, &[usize], ParamKind); 21] = [
        ("table.weight", &[5, 3], ParamKind::Embedding),
        ("class_token", &[1, 1, 3], ParamKind::Token),
        ("positions.0", &[4, 3], ParamKind::Token),
        ("raw", &[4, 3], ParamKind::Other),
        ("raw_vector", &[3], ParamKind::Other),
        ("mixing", &[3, 4], ParamKind::Linear),
        ("patches.weight", &[6, 3, 2, 2], ParamKind::Convolution),
        ("patches.bias", &[6], ParamKind::Bias),
        ("series.weight", &[6, 2, 3], ParamKind::Convolution),
        ("series.bias", &[6], ParamKind::Bias),
        ("linear.weight", &[5, 7], ParamKind::Linear),
        ("linear.bias", &[5], ParamKind::Bias),
        ("layer_norm.gamma", &[3], ParamKind::Norm),
        ("layer_norm.beta", &[3], ParamKind::Norm),
        ("group_norm.gamma", &[3], ParamKind::Norm),
        ("group_norm.beta", &[3], ParamKind::Norm),
        ("batch_norm.gamma", &[3], ParamKind::Norm),
        ("batch_norm.beta", &[3], ParamKind::Norm),
        ("batch_norm.running_mean", &[3], ParamKind::RunningStatistic),
        ("batch_norm.running_var", &[3], ParamKind::RunningStatistic),
        ("statistic", &[2], ParamKind::RunningStatistic),
    ];
    assert_eq!(found, expected);
    let trained = |(_, shape, kind): &(_, &[usize], _)| match kind {
        ParamKind::RunningStatistic => 0,
        _ => shape.iter().product(),
    };
    assert_eq!(
        parameter_count(&transformer::<Cpu>()),
        expected.iter().map(trained).sum::<usize>()
    );
}

#[test]
fn only_linear_weights_are_transposed_in_exports() {
    let module = transformer::<Cpu>();
    let state = tensors(&module);
    for (name, tensor) in [
        ("table.weight", host(module.table.weight.val())),
        ("positions.0", host(module.positions[0].val())),
        ("raw", host(module.raw.val())),
        ("mixing", host(module.mixing.val().transpose())),
        ("linear.weight", host(module.linear.weight.val().transpose())),
    ] {
        assert_eq!(state[name], tensor, "{name}");
    }
    let other: Transformer<Cpu> = initialize(transformer(), 4);
    assert_ne!(tensors(&other), state);
    let restored = load_state_dict(other, &state).unwrap();
    assert_eq!(tensors(&restored), state);
    assert_eq!(host(restored.raw.val()), host(module.raw.val()));
}

/// The expected values are the first ones of the streams of seed 42, computed with the program in `initial_weights.rs`, times
/// 0.02 for the embedding and the token, and times 1/√7, 1/√12 and 1/√6 for the biases.
#[test]
fn initial_values_follow_from_the_kind() {
    let before = tensors(&transformer::<Cpu>());
    let state = tensors(&initialize(transformer::<Cpu>(), 42));
    for (name, expected) in [
        ("table.weight", [0.011333529, -0.034667373, -0.009174]),
        ("class_token", [0.028455371, -0.013437048, 0.041406044]),
        ("linear.bias", [0.36165184, -0.3207086, -0.036929708]),
        ("patches.bias", [0.2231225, -0.016365848, -0.06854399]),
        ("series.bias", [-0.3425767, -0.1068555, 0.0017843022]),
    ] {
        assert_eq!(state[name].data[..3], expected, "{name}");
    }
    for name in [
        "raw",
        "raw_vector",
        "layer_norm.gamma",
        "group_norm.beta",
        "batch_norm.gamma",
        "statistic",
    ] {
        assert_eq!(state[name], before[name], "{name}");
    }
    for (name, bound) in [
        ("mixing", 1.0 / 4f32.sqrt()),
        ("linear.weight", 1.0 / 7f32.sqrt()),
        ("linear.bias", 1.0 / 7f32.sqrt()),
        ("patches.bias", 1.0 / 12f32.sqrt()),
        ("series.bias", 1.0 / 6f32.sqrt()),
    ] {
        let most = state[name].data.iter().fold(0f32, |most, v| most.max(v.abs()));
        assert!(most <= bound && most > 0.4 * bound, "{name}: {most} against {bound}");
        assert_ne!(state[name], before[name], "{name}");
    }
}

/// A struct with the name of this crate's `Model` and a field whose exported name is that of another field.
#[derive(Module, Debug)]
struct Model<B: Backend> {
    heads: Heads<B>,
    projector: Vec<Linear<B>>,
}

#[test]
fn two_parameters_of_one_name_are_an_error() {
    let device = Default::default();
    let mlp = "4-2".parse::<ProjectorConfig>().unwrap().mlp(false);
    let module = Model::<Cpu> {
        heads: HeadsConfig::new(mlp).init(3, &device),
        projector: vec![LinearConfig::new(3, 4).init(&device)],
    };
    let duplicate = || StateError::Duplicate {
        key: "projector.0.weight".into(),
    };
    assert_eq!(check_names(&module), Err(duplicate()));
    assert_eq!(state_dict(&module), Err(duplicate()));
    let state = tensors(&module.heads);
    assert_eq!(check_state_dict(&module, &state), Err(duplicate()));
    let line = load_state_dict(module, &state).unwrap_err().to_string();
    assert!(line.contains("'projector.0.weight'") && !line.contains('\n'), "{line}");
}

/// A module with a custom `visit` and `map` that gives two parameters the same name.
#[derive(Clone, Debug)]
struct Twice<B: Backend>(Param<Tensor<B, 2>>, Param<Tensor<B, 2>>);

impl<B: Backend> Module<B> for Twice<B> {
    type Record = ();

    fn visit<V: ModuleVisitor<B>>(&self, visitor: &mut V) {
        for param in [&self.0, &self.1] {
            visitor.enter_module("weight", "Struct:Twice");
            visitor.visit_float(param);
            visitor.exit_module("weight", "Struct:Twice");
        }
    }

    fn map<M: ModuleMapper<B>>(self, mapper: &mut M) -> Self {
        let [a, b] = [self.0, self.1].map(|param| {
            mapper.enter_module("weight", "Struct:Twice");
            let param = mapper.map_float(param);
            mapper.exit_module("weight", "Struct:Twice");
            param
        });
        Self(a, b)
    }

    fn into_record(self) {}

    fn load_record(self, (): ()) -> Self {
        self
    }

    fn to_device(self, _: &B::Device) -> Self {
        self
    }

    fn fork(self, _: &B::Device) -> Self {
        self
    }

    fn collect_devices(&self, devices: Devices<B>) -> Devices<B> {
        devices
    }
}

impl<B: Backend> ModuleDisplayDefault for Twice<B> {
    fn content(&self, content: Content) -> Option<Content> {
        content.optional()
    }
}

impl<B: Backend> ModuleDisplay for Twice<B> {}

#[test]
fn a_hand_written_module_cannot_hide_a_parameter() {
    let module = Twice::<Cpu>(param([2, 2]), param([3, 3]));
    let duplicate = StateError::Duplicate { key: "weight".into() };
    assert_eq!(state_dict(&module), Err(duplicate.clone()));
    assert_eq!(check_names(&module), Err(duplicate));
}

#[derive(Module, Debug)]
struct Tokens<B: Backend> {
    token: DeclaredParam<B, 2>,
    optional: Option<DeclaredParam<B, 1>>,
}

#[test]
fn a_declared_parameter_is_a_module_like_any_other() {
    let module = Tokens::<Train> {
        token: DeclaredParam::new(ParamKind::Token, param([2, 3])),
        optional: None,
    };
    assert_eq!(module.token.kind(), ParamKind::Token);
    assert_eq!(parameter_count(&module), 6);
    let state = tensors(&module);
    assert_eq!(state.keys().collect::<Vec<_>>(), ["token"]);
    assert_eq!(tensors(&module.valid()), state);
    assert_eq!(tensors(&Tokens::<Train>::from_inner(module.valid())), state);
    let device = Default::default();
    assert_eq!(tensors(&module.clone().fork(&device).to_device(&device)), state);
    let zero = Tokens::<Train> {
        token: DeclaredParam::new(ParamKind::Token, Param::from_tensor(Tensor::zeros([2, 3], &device))),
        optional: None,
    };
    assert_eq!(tensors(&zero.load_record(module.clone().into_record())), state);
    assert_eq!(module.devices().len(), 1);
    assert!(module.to_string().contains("Token [2, 3]"), "{module}");

    let loaded = load_state_dict(module, &state).unwrap();
    let gradients = loaded.token.val().square().sum().backward();
    let gradient = loaded
        .token
        .param()
        .val()
        .grad(&gradients)
        .expect("a loaded parameter is trained");
    let twice: Vec<f32> = state["token"].data.iter().map(|v| 2.0 * v).collect();
    assert_eq!(gradient.into_data(), TensorData::new(twice, [2, 3]));
}
