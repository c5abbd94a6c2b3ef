//! Tests of forward passes, gradients and running statistics against torch and torchvision, on formula weights and images.

use crate::common;

use barlow_model::{NormMode, ProjectorConfig, ResNet, ResNetConfig, ResNetDepth, Stem};
use common::{Cpu, Train, assert_close, fill, gradients, host, images, norm, value};

/// ```python
/// def network(block, blocks, width, cifar):          # torchvision's ResNet at another width
///     m = ResNet(block, [1, 1, 1, 1]); m.inplanes = width; m.fc = torch.nn.Identity()
///     m.conv1 = torch.nn.Conv2d(3, width, 3 if cifar else 7, 1 if cifar else 2, 1 if cifar else 3, bias=False)
///     if cifar: m.maxpool = torch.nn.Identity()
///     m.bn1 = torch.nn.BatchNorm2d(width)
///     for i in range(4):
///         setattr(m, f"layer{i+1}", m._make_layer(block, width << i, blocks[i], stride=1 if i == 0 else 2))
///     return fill(m)
/// m = network(BasicBlock, [2, 2, 2, 2], 8, False); x = images(3, 3, 40, 36); y = m(x); backward(y)
/// print(y, m.layer4[1].bn2.weight.grad, m.bn1.running_var, m.eval()(x)) # and so on
/// ```
#[test]
fn resnet18_with_the_imagenet_stem_agrees_with_torchvision() {
    let config = ResNetConfig::new(ResNetDepth::ResNet18).with_width(8);
    check(
        config,
        [3, 3, 40, 36],
        &[1.294424, 0.9955024, 1.106898, 0.7384258, 1.293572, 1.483107],
        &[
            ("conv1.weight", [20.86068, 11.37684, -13.64825], 289.8062),
            ("bn1.weight", [-5.746839, -0.1760276, 0.9223354], 15.62955),
            ("bn1.bias", [-6.641719, 1.573457, -3.258252], 10.21022),
            (
                "layer2.0.downsample.0.weight",
                [-1.329534, 0.2580084, 1.195079],
                21.42271,
            ),
            ("layer3.1.conv2.weight", [0.02818262, -0.2691334, 0.2571129], 69.68217),
            ("layer4.1.bn2.weight", [0.4585237, 0.8870278, -0.4986145], 3.968812),
            ("x", [0.2824789, 0.3077952, -0.4340356], 47.79451),
        ],
        &[
            ("bn1.running_mean", [0.09873323, 0.1501668, 0.1778696]),
            ("bn1.running_var", [0.9714984, 0.903562, 0.8396612]),
            ("layer4.1.bn1.running_mean", [-0.1784142, -0.1013591, -0.07278627]),
            ("layer4.1.bn1.running_var", [1.147734, 1.190397, 1.081266]),
        ],
        &[2.226549, 2.518672, 0.8644607, 2.762338, 2.626795, 2.649284],
    );
}

/// ```python
/// m = network(Bottleneck, [3, 4, 6, 3], 4, True); x = images(2, 3, 18, 16); y = m(x); backward(y)
/// ```
#[test]
fn resnet50_with_the_cifar_stem_agrees_with_torchvision() {
    let config = ResNetConfig::new(ResNetDepth::ResNet50)
        .with_width(4)
        .with_stem(Stem::Cifar);
    check(
        config,
        [2, 3, 18, 16],
        &[1.496868, 2.306402, 2.019752, 1.557515, 2.207174, 1.845256],
        &[
            ("conv1.weight", [-72.95408, 41.25928, -52.54268], 2129.52),
            ("bn1.weight", [-126.9604, 1.737078, 113.9967], 178.4198),
            ("bn1.bias", [228.2032, -137.155, 229.9808], 385.8398),
            (
                "layer2.0.downsample.0.weight",
                [-0.8862889, 8.100516, -27.46868],
                371.5527,
            ),
            ("layer3.1.conv2.weight", [-0.5109349, 1.645554, -4.807066], 260.4151),
            ("layer4.1.bn2.weight", [0.649162, -1.326456, 0.7275233], 6.282429),
            ("x", [-3.708722, 7.39751, -6.470266], 815.4084),
        ],
        &[
            ("bn1.running_mean", [0.09765675, 0.148132, 0.1775456]),
            ("bn1.running_var", [0.9607002, 0.923187, 0.8380641]),
            ("layer4.1.bn1.running_mean", [-0.4181457, -0.1411246, 0.05663956]),
            ("layer4.1.bn1.running_var", [1.219875, 1.156047, 1.174109]),
        ],
        &[79.1226, 46.05015, 24.21012, 45.21807, 12.22131, 3.250539],
    );
}

/// ```python
/// m = fill(Sequential(Linear(7, 6, bias=False), BatchNorm1d(6), ReLU(), Linear(6, 5, bias=False), BatchNorm1d(5),
/// ReLU(),                     Linear(5, 4, bias=False)))
/// x = images(5, 7); y = m(x); backward(y)
/// ```
#[test]
fn a_projector_agrees_with_torch() {
    let config: ProjectorConfig = "6-5-4".parse().unwrap();
    let projector = fill(config.mlp(true).init::<Train>(7, &Default::default()));
    let x = images::<Train, 2>([5, 7]).require_grad();
    let y = projector.forward(x.clone(), NormMode::Train);
    assert_eq!(y.dims(), [5, 4]);
    assert_close(
        "y",
        &host(y.clone()).data,
        &[0.3434069, 0.8328947, -1.064983, 0.8175375],
        1e-5,
    );
    let gradients = gradients(&projector, &x, y);
    for (name, expected) in [
        ("0.weight", [-0.06613401, -0.04862707, -0.02873083]),
        ("1.weight", [-0.1147767, -0.316024, 0.1168819]),
        ("3.weight", [-0.01812778, 0.03447218, 0.002009999]),
        ("4.bias", [0.04951372, 0.009712991, -0.6673796]),
        ("6.weight", [-0.2800084, 1.191954, -0.4835655]),
        ("x", [0.1507594, -0.007447587, -0.1573174]),
    ] {
        assert_close(name, &gradients[name].data, &expected, 2e-5);
    }
    for (name, expected) in [
        ("1.running_mean", [-0.1041559, -0.09686745, -0.0189264]),
        ("1.running_var", [1.686539, 1.32679, 1.095995]),
        ("4.running_mean", [-0.03285845, 0.2322889, -0.08749192]),
        ("4.running_var", [0.9020918, 0.9054407, 1.005577]),
    ] {
        assert_close(name, &value(&projector, name), &expected, 1e-5);
    }
    let y = projector.forward(x, NormMode::Eval);
    assert_close(
        "y in Eval",
        &host(y).data,
        &[0.4008981, -0.1210989, 0.05359688, -0.2399251],
        1e-5,
    );
}

fn check(
    config: ResNetConfig,
    shape: [usize; 4],
    train: &[f64],
    expected_gradients: &[(&str, [f64; 3], f64)],
    statistics: &[(&str, [f64; 3])],
    eval: &[f64],
) {
    let network: ResNet<Train> = fill(config.init(&Default::default()));
    let x = images::<Train, 4>(shape).require_grad();
    let y = network.forward(x.clone(), NormMode::Train);
    assert_eq!(y.dims(), [shape[0], config.feature_dim()]);
    assert_close("y", &host(y.clone()).data, train, 2e-5);
    let gradients = gradients(&network, &x, y);
    for (name, first, length) in expected_gradients {
        // A deep network with random weights amplifies rounding in the backward pass, hence the looser tolerance.
        assert_close(name, &gradients[*name].data, first, 1e-3);
        assert!(
            (norm(&gradients[*name]) / length - 1.0).abs() < 2e-4,
            "{name}: {} {length}",
            norm(&gradients[*name])
        );
    }
    for (name, expected) in statistics {
        assert_close(name, &value(&network, name), expected, 2e-5);
    }
    assert_close("y in Eval", &host(network.forward(x, NormMode::Eval)).data, eval, 2e-5);

    let plain: ResNet<Cpu> = fill(config.init(&Default::default()));
    let y = plain.forward(images(shape), NormMode::Train);
    assert_close("y without gradients", &host(y).data, train, 2e-5);
}
