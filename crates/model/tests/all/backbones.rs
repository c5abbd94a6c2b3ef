//! Tests of every backbone against torchvision's and timm's: numbers of parameters, outputs in both modes and gradients on formula
//! weights. The expected values are in `goldens/backbones.txt`, by the script next to it.

use crate::common;

use barlow_model::{
    Backbone, BackboneConfig, HeadsConfig, ModelConfig, NormMode, ParamKind, Positions, ProjectorConfig, ResNet,
    ResNetConfig, ResNetDepth, RowKeys, Stem, Vit, VitConfig, VitInit, VitPool, VitSize, initialize, load_state_dict,
    named_shapes, parameter_count,
};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use common::{Cpu, Train, assert_close, fill, gradients, host, images, norm, tensors};
use std::collections::BTreeMap;

const GOLDENS: &str = include_str!("goldens/backbones.txt");

/// The lines of a case, by key.
fn golden(case: &str) -> BTreeMap<&'static str, Vec<f64>> {
    let mut found = BTreeMap::new();
    for line in GOLDENS.lines() {
        let mut words = line.split(' ');
        if words.next() == Some(case) {
            let key = words.next().expect("a line has a key");
            found.insert(key, words.map(|word| word.parse().expect("a number")).collect());
        }
    }
    assert!(!found.is_empty(), "no golden of {case}");
    found
}

/// The formula weights, with the last norm's scale in each bottleneck divided by 4: small branches, as in a trained network. The
/// gradients of deep networks would otherwise amplify rounding beyond any bound. Frozen parameters keep their values.
fn fill_calm<B: Backend, M: Module<B>>(module: M) -> M {
    let mut state = tensors(&fill(module.clone()));
    let frozen = named_shapes(&module)
        .into_iter()
        .filter(|named| named.kind == ParamKind::Frozen);
    let own = tensors(&module);
    state.extend(frozen.map(|named| (named.name.clone(), own[&named.name].clone())));
    for (name, tensor) in &mut state {
        if name.ends_with("bn3.weight") {
            // The division is exact.
            tensor.data.iter_mut().for_each(|value| *value /= 4.0);
        }
    }
    load_state_dict(module, &state).expect("the module's own names")
}

/// Compares a network on formula weights with the golden: with a graph in both modes, and without one.
fn check<T: Module<Train>, P: Module<Cpu>>(
    case: &str,
    shape: [usize; 4],
    (trained, plain): (T, P),
    forward: impl Fn(&T, Tensor<Train, 4>, NormMode) -> Tensor<Train, 2>,
    forward_plain: impl Fn(&P, Tensor<Cpu, 4>, NormMode) -> Tensor<Cpu, 2>,
) {
    let golden = golden(case);
    let (train, eval) = (&golden["train"], &golden["eval"]);
    let x = images::<Train, 4>(shape).require_grad();
    let y = forward(&trained, x.clone(), NormMode::Train);
    assert_close(&format!("{case}: y"), &first_features(y.clone()), train, 1e-4);
    let gradients = gradients(&trained, &x, y);
    let mut compared = 0;
    for (key, expected) in &golden {
        let Some(name) = key.strip_prefix("gradient:") else {
            continue;
        };
        let gradient = &gradients[name];
        // Relative to the gradient's root mean square: some of the first values are 0 to rounding.
        let scale = expected[0] / (gradient.data.len() as f64).sqrt();
        for (&found, &expected) in gradient.data.iter().zip(&expected[1..]) {
            let error = (f64::from(found) - expected).abs();
            assert!(
                error <= 1e-3 * scale.max(expected.abs()),
                "{case}: gradient of {name}: {found}, expected {expected}"
            );
        }
        let error = (norm(gradient) / expected[0] - 1.0).abs();
        assert!(
            error < 1e-3,
            "{case}: the norm of {name}'s gradient is off by {error:.1e}"
        );
        compared += 1;
    }
    assert!(compared >= 5, "{case}");
    let y = forward(&trained, x, NormMode::Eval);
    assert_close(&format!("{case}: y in Eval"), &first_features(y), eval, 1e-4);
    let y = forward_plain(&plain, images(shape), NormMode::Train);
    assert_close(&format!("{case}: y without a graph"), &first_features(y), train, 1e-4);
}

/// The first 32 features of each image.
fn first_features<B: Backend>(y: Tensor<B, 2>) -> Vec<f32> {
    let [_, features] = y.dims();
    host(y.narrow(1, 0, features.min(32))).data
}

fn check_resnet(case: &str, config: ResNetConfig, shape: [usize; 4]) {
    let device = Default::default();
    let networks: (ResNet<Train>, ResNet<Cpu>) = (fill_calm(config.init(&device)), fill_calm(config.init(&device)));
    check(case, shape, networks, ResNet::forward, ResNet::forward);
}

fn narrow(depth: ResNetDepth, width: usize) -> ResNetConfig {
    ResNetConfig::new(depth).with_width(width)
}

#[test]
fn resnets_have_torchvision_s_numbers_of_parameters() {
    for (name, depth) in [
        ("resnet18", ResNetDepth::ResNet18),
        ("resnet34", ResNetDepth::ResNet34),
        ("resnet50", ResNetDepth::ResNet50),
        ("resnet101", ResNetDepth::ResNet101),
        ("resnet152", ResNetDepth::ResNet152),
        ("wide_resnet50_2", ResNetDepth::WideResNet50),
        ("wide_resnet101_2", ResNetDepth::WideResNet101),
        ("resnext50_32x4d", ResNetDepth::ResNext50),
    ] {
        let network: ResNet<Cpu> = ResNetConfig::new(depth).init(&Default::default());
        let expected = golden(name)["parameters"][0];
        assert_eq!(parameter_count(&network) as f64, expected, "{name}");
    }
}

#[test]
fn basic_networks_agree_with_torchvision() {
    let padded = narrow(ResNetDepth::ResNet18, 4)
        .with_stem(Stem::Cifar)
        .with_stem_padding(2);
    check_resnet("resnet18-padding-2", padded, [3, 3, 16, 18]);
    check_resnet("resnet34", narrow(ResNetDepth::ResNet34, 4), [3, 3, 40, 36]);
}

#[test]
fn deep_networks_agree_with_torchvision() {
    check_resnet("resnet101", narrow(ResNetDepth::ResNet101, 4), [3, 3, 40, 36]);
    check_resnet("resnet152", narrow(ResNetDepth::ResNet152, 4), [3, 3, 40, 36]);
}

#[test]
fn wide_networks_agree_with_torchvision() {
    check_resnet("wide_resnet50_2", narrow(ResNetDepth::WideResNet50, 4), [3, 3, 40, 36]);
    check_resnet(
        "wide_resnet101_2",
        narrow(ResNetDepth::WideResNet101, 4),
        [3, 3, 40, 36],
    );
}

#[test]
fn grouped_networks_agree_with_torchvision() {
    check_resnet("resnext50_32x4d", narrow(ResNetDepth::ResNext50, 16), [2, 3, 40, 36]);
    let cifar = narrow(ResNetDepth::ResNext50, 32).with_stem(Stem::Cifar);
    check_resnet("resnext50_32x4d-cifar", cifar, [2, 3, 12, 10]);
}

#[test]
#[should_panic(expected = "must be a multiple of 16, got 24")]
fn groups_without_channels_are_refused() {
    let _: ResNet<Cpu> = narrow(ResNetDepth::ResNext50, 24).init(&Default::default());
}

/// The small network of the goldens.
fn small_vit() -> VitConfig {
    VitConfig {
        width: 24,
        depth: 3,
        heads: 3,
        patch: 4,
        pixels: 12,
        ..VitConfig::new(VitSize::Tiny)
    }
}

fn vit<B: Backend>(config: VitConfig) -> Vit<B> {
    fill_calm(config.init(&Default::default()))
}

#[test]
fn vits_have_timm_s_numbers_of_parameters_and_names() {
    let eight = VitConfig {
        patch: 8,
        pixels: 64,
        pool: VitPool::Mean,
        ..VitConfig::new(VitSize::Tiny)
    };
    for (name, config) in [
        ("vit_tiny_patch16_224", VitConfig::new(VitSize::Tiny)),
        ("vit_small_patch16_224", VitConfig::new(VitSize::Small)),
        ("vit_base_patch16_224", VitConfig::new(VitSize::Base)),
        ("vit_tiny_patch8-mean", eight),
    ] {
        let network: Vit<Cpu> = config.init(&Default::default());
        assert_eq!(
            parameter_count(&network) as f64,
            golden(name)["parameters"][0],
            "{name}"
        );
    }
    let one = VitConfig {
        depth: 1,
        ..VitConfig::new(VitSize::Tiny)
    };
    let mut names: Vec<String> = named_shapes(&BackboneConfig::from(one).init::<Cpu>(&Default::default()))
        .into_iter()
        .map(|named| named.name)
        .collect();
    names.sort();
    assert_eq!(names, golden("vit-names").into_keys().collect::<Vec<_>>());
}

#[test]
fn vits_agree_with_timm() {
    let base = small_vit();
    let mean = VitConfig {
        pool: VitPool::Mean,
        ..base
    };
    let fixed = VitConfig {
        positions: Positions::SinCos,
        ..base
    };
    for (case, config, images) in [
        ("vit-class-token", base, 3),
        ("vit-mean", mean, 2),
        ("vit-sin-cos", fixed, 2),
    ] {
        let networks = (vit::<Train>(config), vit::<Cpu>(config));
        let (with, without) = (
            |net: &Vit<Train>, x, _: NormMode| net.forward(x),
            |net: &Vit<Cpu>, x, _: NormMode| net.forward(x),
        );
        check(case, [images, 3, 12, 12], networks, with, without);
    }
}

#[test]
fn frozen_parameters_are_neither_trained_nor_counted() {
    let config = VitConfig {
        positions: Positions::SinCos,
        frozen_patches: true,
        ..small_vit()
    };
    let (frozen, trained) = (vit::<Train>(config), vit::<Train>(small_vit()));
    let x = images::<Train, 4>([2, 3, 12, 12]).require_grad();
    let found = gradients(&frozen, &x, frozen.forward(x.clone()));
    for named in named_shapes(&frozen) {
        assert_eq!(
            found.contains_key(&named.name),
            named.kind.is_trained(),
            "{}",
            named.name
        );
    }
    let patches = 24 * 3 * 16 + 24;
    assert_eq!(parameter_count(&trained) - parameter_count(&frozen), patches + 10 * 24);
    assert_eq!(tensors(&frozen).len(), tensors(&trained).len(), "all are exported");
}

#[test]
fn fixed_positions_are_those_of_any_grid() {
    let config = VitConfig {
        positions: Positions::SinCos,
        ..small_vit()
    };
    let network: Vit<Cpu> = vit(config);
    let other: Vit<Cpu> = vit(VitConfig { pixels: 8, ..config });
    let x = || images::<Cpu, 4>([2, 3, 8, 8]);
    assert_eq!(host(network.forward(x())), host(other.forward(x())));
}

#[test]
#[should_panic(expected = "learned positions of 3 x 3 patches, and an image of 2 x 2")]
fn learned_positions_are_those_of_one_grid() {
    vit::<Cpu>(small_vit()).forward(images([2, 3, 8, 8]));
}

#[test]
fn drop_path_depends_on_the_key_alone() {
    let config = VitConfig {
        drop_path: 0.5,
        ..small_vit()
    };
    let network: Vit<Cpu> = vit(config);
    let x = || images::<Cpu, 4>([8, 3, 12, 12]);
    let keyed =
        |x, mode, seed, step, rows| host(network.forward_keyed(x, mode, &RowKeys::new(seed, step, &[0], rows))).data;
    let plain = host(network.forward(x())).data;
    let dropped = keyed(x(), NormMode::Train, 1, 2, 0..8);
    assert_ne!(dropped, plain);
    assert_eq!(dropped, keyed(x(), NormMode::TrainFrozenStats, 1, 2, 0..8));
    assert_ne!(dropped, keyed(x(), NormMode::Train, 1, 3, 0..8));
    assert_ne!(dropped, keyed(x(), NormMode::Train, 2, 2, 0..8));
    assert_eq!(plain, keyed(x(), NormMode::Eval, 1, 2, 0..8));
    // Micro-batches drop what the whole batch drops.
    let parts = [0..4, 4..8].map(|rows| {
        let x = x().narrow(0, rows.start, rows.len());
        keyed(x, NormMode::Train, 1, 2, rows)
    });
    let expected: Vec<f64> = dropped.iter().map(|&value| f64::from(value)).collect();
    assert_close("micro-batches", &parts.concat(), &expected, 1e-6);
    // Without a rate the keys make no difference.
    let certain: Vit<Cpu> = vit(small_vit());
    let keys = RowKeys::new(1, 2, &[0], 0..8);
    assert_eq!(host(certain.forward_keyed(x(), NormMode::Train, &keys)).data, plain);
}

/// A branch is kept with probability 1 − rate and then scaled by the inverse, so that its mean is that without drop path.
#[test]
fn kept_branches_make_up_for_dropped_ones() {
    let draws: Vec<f64> = (0..64)
        .flat_map(|step| RowKeys::new(5, step, &[0], 0..64).draws(4))
        .collect();
    let (rate, kept) = (
        0.3,
        draws.iter().filter(|&&draw| draw >= 0.3).count() as f64 / draws.len() as f64,
    );
    // Five standard errors.
    assert!((kept / (1.0 - rate) - 1.0).abs() < 5.0 * (rate / (1.0 - rate) / 4096f64).sqrt());
}

#[test]
fn initial_weights_are_timm_s_or_moco_s() {
    let std = |values: &[f32]| (values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    let most = |values: &[f32]| values.iter().fold(0f32, |most, v| most.max(v.abs()));
    let config = VitConfig {
        depth: 1,
        ..VitConfig::new(VitSize::Tiny)
    };
    let timm = tensors(&initialize::<Cpu, _>(config.init(&Default::default()), 3));
    for name in ["pos_embed", "blocks.0.attn.qkv.weight", "blocks.0.mlp.fc2.weight"] {
        assert!((std(&timm[name].data) / 0.02 - 1.0).abs() < 0.02, "{name}");
    }
    let token = std(&timm["cls_token"].data);
    assert!((0.5e-6..2e-6).contains(&token), "{token}");
    let bound = 1.0 / (3.0 * 256f32).sqrt();
    for name in ["patch_embed.proj.weight", "patch_embed.proj.bias"] {
        let most = most(&timm[name].data);
        assert!(most <= bound && most > 0.95 * bound, "{name}: {most} of {bound}");
    }
    for name in ["blocks.0.attn.qkv.bias", "blocks.0.mlp.fc1.bias", "norm.bias"] {
        assert_eq!(most(&timm[name].data), 0.0, "{name}");
    }
    assert!(timm["blocks.0.norm1.weight"].data.iter().all(|&weight| weight == 1.0));

    let config = VitConfig {
        init: VitInit::MocoV3,
        positions: Positions::SinCos,
        frozen_patches: true,
        ..config
    };
    let network = initialize::<Cpu, Vit<Cpu>>(config.init(&Default::default()), 3);
    let moco = tensors(&network);
    for (name, fans) in [
        ("blocks.0.attn.qkv.weight", 192 + 192),
        ("blocks.0.attn.proj.weight", 192 + 192),
        ("blocks.0.mlp.fc1.weight", 192 + 768),
        ("patch_embed.proj.weight", 192 + 3 * 256),
    ] {
        let (most, bound) = (most(&moco[name].data), (6.0 / fans as f32).sqrt());
        assert!(most <= bound && most > 0.999 * bound, "{name}: {most} of {bound}");
    }
    assert_eq!(most(&moco["patch_embed.proj.bias"].data), 0.0);
    assert_eq!(
        moco["pos_embed"],
        tensors::<Cpu, Vit<Cpu>>(&config.init(&Default::default()))["pos_embed"]
    );
    // A weight depends on (seed, name): other blocks differ.
    assert_ne!(timm["blocks.0.attn.proj.weight"], moco["blocks.0.attn.proj.weight"]);
}

#[test]
fn a_whole_model_of_a_vit_trains_and_keeps_its_names() {
    let projector: ProjectorConfig = "12-8".parse().unwrap();
    let config = ModelConfig::new(small_vit(), HeadsConfig::new(projector.mlp(true)));
    let model = config.init::<Train>(&Default::default(), 1);
    let names: Vec<String> = named_shapes(&model).into_iter().map(|named| named.name).collect();
    assert_eq!(names[0], "backbone.cls_token");
    assert!(names.contains(&"projector.0.weight".to_owned()));
    let keys = RowKeys::new(1, 0, &[0, 1], 0..2);
    let output = model.forward_keyed(images([4, 3, 12, 12]), NormMode::Train, &keys);
    assert_eq!(output.embeddings.dims(), [4, 8]);
    assert_eq!(output.representations.dims(), [4, 24]);
}
