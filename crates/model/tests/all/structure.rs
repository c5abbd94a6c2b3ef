//! Tests of sizes and names against torchvision and the official code, and of saving and loading state dicts.

use crate::common;

use barlow_model::{
    Backbone, BuiltinBackbone, HeadsConfig, Model, ModelConfig, NormMode, ParamKind, ProjectorConfig, ResNet,
    ResNetConfig, ResNetDepth, StateError, Stem, load_state_dict, named_shapes, parameter_count, read_safetensors,
    save_safetensors, strip_prefix,
};
use common::{Cpu, Train, fill, formula, host, images, tensors};

fn small_model() -> ModelConfig {
    let backbone = ResNetConfig::new(ResNetDepth::ResNet18)
        .with_stem(Stem::Cifar)
        .with_width(4);
    let projector: ProjectorConfig = "12-10-8".parse().unwrap();
    ModelConfig::new(backbone, HeadsConfig::new(projector.mlp(true)))
}

/// `sum(p.numel() for p in torchvision.models.resnetNN().parameters())` minus the classifier's. Nothing is allocated.
#[test]
fn backbones_have_torchvision_s_sizes() {
    for (depth, count, features, tensors) in [
        (ResNetDepth::ResNet18, 11_176_512, 512, 100),
        (ResNetDepth::ResNet34, 21_284_672, 512, 180),
        (ResNetDepth::ResNet50, 23_508_032, 2048, 265),
    ] {
        let config = ResNetConfig::new(depth);
        let network: ResNet<Cpu> = config.init(&Default::default());
        assert_eq!(parameter_count(&network), count, "{depth:?}");
        assert_eq!(config.feature_dim(), features);
        assert_eq!(named_shapes(&network).len(), tensors);
    }
}

/// The number is from mmpretrain's model card of the official network.
#[test]
fn the_official_model_has_174_535_744_parameters() {
    let config = ModelConfig::default();
    let model: Model<Cpu> = config.init_zeros(&Default::default());
    assert_eq!(parameter_count(&model), 174_535_744);
    assert_eq!(config.heads.embedding_width(), 8192);
}

#[test]
fn an_allocated_model_has_the_parameters_it_counts() {
    let model: Model<Cpu> = small_model().init(&Default::default(), 1);
    let state = tensors(&model);
    let trained = state.iter().filter(|(key, _)| !key.contains("running"));
    assert_eq!(
        trained.map(|(_, tensor)| tensor.data.len()).sum::<usize>(),
        parameter_count(&model)
    );
    let projector = 32 * 12 + 12 * 10 + 10 * 8 + 2 * (12 + 10);
    assert_eq!(parameter_count(&model.heads), projector);
    assert_eq!(parameter_count(&model), parameter_count(&model.backbone) + projector);
}

/// `m = torchvision.models.resnet18(); m.fc = torch.nn.Identity(); list(m.state())` has 120 entries, these first.
#[test]
fn names_are_torchvision_s() {
    let network: ResNet<Cpu> = ResNetConfig::new(ResNetDepth::ResNet18)
        .with_width(4)
        .init(&Default::default());
    let names: Vec<_> = named_shapes(&network).into_iter().map(|named| named.name).collect();
    let first = [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
        "layer1.0.conv1.weight",
        "layer1.0.bn1.weight",
        "layer1.0.bn1.bias",
        "layer1.0.bn1.running_mean",
        "layer1.0.bn1.running_var",
        "layer1.0.conv2.weight",
        "layer1.0.bn2.weight",
    ];
    assert_eq!(names[..first.len()], first);
    for name in [
        "layer2.0.downsample.0.weight",
        "layer4.0.downsample.1.running_var",
        "layer4.1.bn2.bias",
    ] {
        assert!(names.iter().any(|found| found == name), "{name}");
    }
    let export = save_safetensors(&tensors(&network), Some(3), None).unwrap();
    let file = read_safetensors(&export).unwrap();
    assert_eq!(file.tensors.len() + file.counters.len(), 120);
    assert_eq!(file.counters["layer4.0.downsample.1.num_batches_tracked"], 3);
}

#[test]
fn a_whole_model_has_the_official_names() {
    let model: Model<Cpu> = small_model().init_zeros(&Default::default());
    let names: Vec<_> = named_shapes(&model).into_iter().collect();
    let projector: Vec<_> = names
        .iter()
        .filter(|named| named.name.starts_with("projector."))
        .collect();
    let expected: [(&str, &[usize]); 11] = [
        ("projector.0.weight", &[12, 32]),
        ("projector.1.weight", &[12]),
        ("projector.1.bias", &[12]),
        ("projector.1.running_mean", &[12]),
        ("projector.1.running_var", &[12]),
        ("projector.3.weight", &[10, 12]),
        ("projector.4.weight", &[10]),
        ("projector.4.bias", &[10]),
        ("projector.4.running_mean", &[10]),
        ("projector.4.running_var", &[10]),
        ("projector.6.weight", &[8, 10]),
    ];
    assert_eq!(projector.len(), expected.len());
    for (named, (name, shape)) in projector.iter().zip(expected) {
        assert_eq!((named.name.as_str(), &named.shape[..]), (name, shape));
    }
    assert!(
        names
            .iter()
            .all(|n| n.name.starts_with("projector.") || n.name.starts_with("backbone."))
    );
}

#[test]
fn a_projector_without_norms_keeps_its_numbers() {
    let projector = ProjectorConfig { widths: vec![5, 6, 7] }
        .mlp(false)
        .init::<Cpu>(4, &Default::default());
    let names: Vec<_> = named_shapes(&projector).into_iter().map(|named| named.name).collect();
    assert_eq!(names, ["0.weight", "3.weight", "6.weight"]);
    assert_eq!(projector.forward(images([2, 4]), NormMode::Train).dims(), [2, 7]);
}

#[test]
fn a_state_dict_goes_out_through_bytes_and_in_again() {
    let model: Model<Train> = fill(small_model().init_zeros(&Default::default()));
    model.forward(images([4, 3, 8, 8]), NormMode::Train);
    let state = tensors(&model);
    assert_eq!(
        state["projector.0.weight"].data,
        formula("projector.0.weight", &[12, 32]).data
    );
    let bytes = save_safetensors(&state, None, Some(("step", "1"))).unwrap();
    let read = read_safetensors(&bytes).unwrap().tensors;
    assert_eq!(read, state);
    let restored: Model<Train> =
        load_state_dict(small_model().init(&Default::default(), 9), &read).expect("the same config");
    assert_eq!(tensors(&restored), state);
    let outputs = [&model, &restored].map(|model| {
        let output = model.forward(images([4, 3, 8, 8]), NormMode::Eval);
        (host(output.representations), host(output.embeddings))
    });
    assert_eq!(outputs[0], outputs[1]);
    let backbone: BuiltinBackbone<Cpu> = small_model().backbone.init(&Default::default());
    let backbone = load_state_dict(backbone, &strip_prefix(&state, "backbone.")).expect("the backbone's part");
    assert_eq!(
        host(backbone.forward(images([4, 3, 8, 8]), NormMode::Eval)),
        outputs[0].0
    );
}

#[test]
fn loaded_parameters_are_trained_and_statistics_are_not() {
    let model: Model<Train> = fill(small_model().init_zeros(&Default::default()));
    let x = images::<Train, 4>([4, 3, 8, 8]).require_grad();
    let gradients = common::gradients(&model, &x, model.forward(x.clone(), NormMode::Train).embeddings);
    let trained: Vec<_> = named_shapes(&model)
        .into_iter()
        .filter(|named| named.kind != ParamKind::RunningStatistic)
        .collect();
    for named in &trained {
        assert_eq!(gradients[&named.name].shape, named.shape, "{}", named.name);
    }
    assert_eq!(gradients.len(), trained.len() + 1, "including that of x");
}

#[test]
fn a_state_dict_of_another_model_is_refused_in_one_line() {
    let init = || small_model().init_zeros::<Cpu>(&Default::default());
    let state = tensors(&init());
    let refuse = |state: &_| {
        let error = load_state_dict(init(), state).expect_err("must not load");
        assert!(!error.to_string().contains('\n'));
        error
    };
    let mut lacking = state.clone();
    lacking.remove("projector.3.weight");
    lacking.remove("backbone.bn1.bias");
    assert_eq!(refuse(&lacking).to_string(), {
        let total = state.len();
        format!(
            "the weights do not contain 'backbone.bn1.bias' (2 of the model's {total} tensors are missing); \
             are they from another model?"
        )
    });
    let mut more = state.clone();
    more.insert("backbone.fc.weight".into(), formula("fc.weight", &[10, 32]));
    let error = refuse(&more);
    assert_eq!(
        error,
        StateError::Unexpected {
            key: "backbone.fc.weight".into(),
            count: 1
        }
    );
    assert!(error.to_string().contains("'backbone.fc.weight'"));
    let mut other = state.clone();
    other.insert("projector.0.weight".into(), formula("projector.0.weight", &[32, 12]));
    let line = refuse(&other).to_string();
    assert!(
        line.contains("[32, 12] in the weights but [12, 32] in the model"),
        "{line}"
    );
    let mut short = state;
    short.get_mut("projector.0.weight").unwrap().data.pop();
    assert!(matches!(refuse(&short), StateError::Length { values: 383, .. }));
}

#[test]
fn depth_and_stem_have_their_names_in_configs() {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let parse = |text: &'static str| {
        let text: StrDeserializer<'static, Error> = text.into_deserializer();
        ResNetDepth::deserialize(text)
    };
    assert_eq!(parse("resnet18"), Ok(ResNetDepth::ResNet18));
    assert_eq!(parse("resnet50"), Ok(ResNetDepth::ResNet50));
    assert!(parse("resnet19").unwrap_err().to_string().contains("resnet34"));
    let stem: StrDeserializer<'static, Error> = "cifar".into_deserializer();
    assert_eq!(Stem::deserialize(stem), Ok(Stem::Cifar));
}
