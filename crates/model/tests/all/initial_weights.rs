//! Tests of the initial weights: they depend only on seed, name, kind and shape, and have torch's distributions.

use crate::common;

use barlow_model::{
    Conv2dConfig, ConvInit, HeadsConfig, LinearConfig, Mlp, ModelConfig, ProjectorConfig, ResNetConfig, ResNetDepth,
    StateDict, initialize, initialize_with,
};
use common::{Cpu, Train, tensors};

fn backbone(depth: ResNetDepth, seed: u64) -> StateDict {
    let config = ResNetConfig::new(depth).with_width(16);
    tensors(&initialize(config.init::<Cpu>(&Default::default()), seed))
}

fn projector(widths: &[usize], in_features: usize) -> Mlp<Cpu> {
    let widths = widths.to_vec();
    ProjectorConfig { widths }
        .mlp(true)
        .init(in_features, &Default::default())
}

/// Names shared by ResNet-18 and -34 have the same shapes, but -34 has additional layers in between.
#[test]
fn a_layer_s_draw_depends_on_no_other_layer() {
    let (small, large) = (backbone(ResNetDepth::ResNet18, 3), backbone(ResNetDepth::ResNet34, 3));
    let shared: Vec<_> = small.keys().filter(|key| key.contains("conv")).collect();
    assert_eq!(shared.len(), 17);
    for key in shared {
        assert_eq!(small[key], large[key], "{key}");
    }
}

#[test]
fn every_seed_and_every_name_gives_another_draw() {
    let (a, b) = (backbone(ResNetDepth::ResNet18, 0), backbone(ResNetDepth::ResNet18, 1));
    assert_eq!(a, backbone(ResNetDepth::ResNet18, 0));
    assert_ne!(a["conv1.weight"], b["conv1.weight"]);
    assert_ne!(a["layer1.0.conv1.weight"], a["layer1.0.conv2.weight"]);
}

#[test]
fn gradients_do_not_change_the_draw() {
    let projector: ProjectorConfig = "5-4".parse().unwrap();
    let config = ModelConfig::new(
        ResNetConfig::new(ResNetDepth::ResNet18).with_width(2),
        HeadsConfig::new(projector.mlp(true)),
    );
    let (plain, train) = (
        config.init::<Cpu>(&Default::default(), 11),
        config.init::<Train>(&Default::default(), 11),
    );
    assert_eq!(tensors(&plain), tensors(&train));
}

/// Changing these values makes old runs irreproducible. Generated in Python, independently of this crate:
/// ```python
/// def chacha8(key):                                            # words of RFC 8439's block function, 4 double rounds
///     k = struct.unpack("<8I", key); c = 0
///     rot = lambda x, n: ((x << n) | (x >> (32 - n))) & 0xffffffff
///     while True:
///         s = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, *k, c & 0xffffffff, c >> 32, 0, 0]; w = s[:]
///         for r in range(4):
///             for a, b, d, e in [(0,4,8,12),(1,5,9,13),(2,6,10,14),(3,7,11,15),
///                                (0,5,10,15),(1,6,11,12),(2,7,8,13),(3,4,9,14)]:
///                 for x, y, z, n in [(a,b,e,16),(d,e,b,12),(a,b,e,8),(d,e,b,7)]:
///                     w[x] = (w[x] + w[y]) & 0xffffffff; w[z] = rot(w[z] ^ w[x], n)
///         yield from ((p + q) & 0xffffffff for p, q in zip(w, s)); c += 1
/// def draw(seed, name):                                        # FNV-1a of the name
///     h = 0xcbf29ce484222325
///     for b in name.encode(): h = (h ^ b) * 0x100000001b3 % 2**64
///     return ((w + 0.5) / 2**31 - 1 for w in chacha8(struct.pack("<QQ", seed, h) + b"barlow:weights:1"))
/// def normal(seed, name):
///     d = draw(seed, name)
///     while True:
///         u, v = next(d), next(d); s = u*u + v*v
///         if s < 1: f = math.sqrt(-2 * math.log(s) / s); yield u*f; yield v*f
/// n = normal(42, "conv1.weight"); print([next(n) * math.sqrt(2 / (16 * 49)) for _ in range(3)])
/// n = normal(42, "layer4.1.conv2.weight"); print([next(n) * math.sqrt(2 / (128 * 9)) for _ in range(3)])
/// n = draw(42, "0.weight"); print([next(n) / math.sqrt(7) for _ in range(3)])
/// n = draw(42, "bias"); print([next(n) / math.sqrt(7) for _ in range(3)])                    # a linear layer's
/// ```
#[test]
fn the_draws_of_seed_42_stay_as_they_are() {
    let backbone = backbone(ResNetDepth::ResNet18, 42);
    assert_eq!(
        backbone["conv1.weight"].data[..3],
        [-0.017223582, -0.0037955774, -0.008066269]
    );
    assert_eq!(
        backbone["layer4.1.conv2.weight"].data[..3],
        [-0.014706025, -0.0014644532, -0.015481871]
    );
    let projector = projector(&[9, 4], 7);
    assert_eq!(
        tensors(&initialize(projector, 42))["0.weight"].data[..3],
        [-0.16912626, -0.060602274, 0.090172775]
    );
    let linear = LinearConfig::new(7, 9).with_bias(true).init::<Cpu>(&Default::default());
    assert_eq!(
        tensors(&initialize(linear, 42))["bias"].data[..3],
        [0.29087082, -0.2581747, 0.32347153]
    );
}

#[test]
fn convolutions_have_torchvision_s_spread() {
    let conv = initialize(Conv2dConfig::new(64, 128, 3, 2).init::<Cpu>(&Default::default()), 5);
    let values = &tensors(&conv)["weight"].data;
    let count = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let std = (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count).sqrt();
    let expected = (2.0 / (128.0 * 9.0f64)).sqrt();
    // Five standard errors: σ/√n for a mean, σ/√(2n) for a standard deviation.
    assert!(mean.abs() < 5.0 * expected / count.sqrt(), "{mean}");
    assert!(
        (std - expected).abs() < 5.0 * expected / (2.0 * count).sqrt(),
        "{std} against {expected}"
    );
}

#[test]
fn fan_in_fills_the_range_of_torch_s_convolution() {
    let conv = Conv2dConfig::new(64, 128, 3, 2).init::<Cpu>(&Default::default());
    let state = tensors(&initialize_with(conv, 5, ConvInit::FanIn));
    let bound = 1.0 / (64.0 * 9f32).sqrt();
    let most = state["weight"].data.iter().fold(0f32, |most, v| most.max(v.abs()));
    assert!(most <= bound && most > 0.999 * bound, "{most} against {bound}");
}

#[test]
fn linear_weights_fill_torch_s_range() {
    let projector = projector(&[512], 128);
    let state = tensors(&initialize(projector, 5));
    let bound = 1.0 / 128f32.sqrt();
    let most = state["0.weight"].data.iter().fold(0f32, |most, v| most.max(v.abs()));
    assert!(most <= bound && most > 0.999 * bound, "{most} against {bound}");
}

#[test]
fn norms_start_at_one_and_zero_and_zero_init_residual_blocks_as_the_identity() {
    let config = ResNetConfig::new(ResNetDepth::ResNet50).with_width(2);
    for zero in [false, true] {
        let config = config.with_zero_init_residual(zero);
        let state = tensors(&initialize(config.init::<Cpu>(&Default::default()), 1));
        for (key, tensor) in &state {
            let expected = match key.rsplit('.').next().unwrap() {
                "weight" if tensor.shape.len() > 1 => continue,
                "weight" if key.contains(".bn3.") && zero => 0.0,
                "weight" | "running_var" => 1.0,
                _ => 0.0,
            };
            assert!(tensor.data.iter().all(|&value| value == expected), "{key}");
        }
    }
    let basic = tensors(&initialize(
        ResNetConfig::new(ResNetDepth::ResNet18)
            .with_width(2)
            .init::<Cpu>(&Default::default()),
        1,
    ));
    assert_eq!(basic["layer3.1.bn2.weight"].data, [0.0; 8]);
    assert_eq!(basic["layer3.1.bn1.weight"].data, [1.0; 8]);
}
