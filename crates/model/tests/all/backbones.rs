//! Tests of every backbone against torchvision's and timm's: numbers of parameters, outputs in both modes and gradients on formula
//! weights. The expected values are in `goldens/backbones.txt`, by the script next to it.

use crate::common;

use barlow_model::{NormMode, ResNet, ResNetConfig, ResNetDepth, Stem, load_state_dict, parameter_count};
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
/// gradients of deep networks would otherwise amplify rounding beyond any bound.
fn fill_calm<B: Backend, M: Module<B>>(module: M) -> M {
    let mut state = tensors(&fill(module.clone()));
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
