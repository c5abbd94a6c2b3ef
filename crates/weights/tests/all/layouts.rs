//! The layouts of other programs, on names and shapes as they write them.

use barlow_weights::{Architecture, Dtype, Layout, Origin, TensorInfo, recognise};

/// A ResNet under `prefix`. Names may be changed by `rename`.
struct Network {
    blocks: [usize; 4],
    bottleneck: bool,
    width: usize,
    inner: usize,
    groups: usize,
    kernel: usize,
    counters: bool,
}

const RESNET50: Network = Network {
    blocks: [3, 4, 6, 3],
    bottleneck: true,
    width: 64,
    inner: 64,
    groups: 1,
    kernel: 7,
    counters: true,
};

const RESNET18: Network = Network {
    blocks: [2, 2, 2, 2],
    bottleneck: false,
    ..RESNET50
};

type Shapes = Vec<(String, Vec<usize>)>;

impl Network {
    /// Names and shapes as in torchvision.
    fn shapes(&self) -> Shapes {
        let mut shapes = Shapes::new();
        let mut add = |name: String, shape: &[usize]| shapes.push((name, shape.to_vec()));
        let norm = |add: &mut dyn FnMut(String, &[usize]), name: &str, size: usize| {
            for value in ["weight", "bias", "running_mean", "running_var"] {
                add(format!("{name}.{value}"), &[size]);
            }
            if self.counters {
                add(format!("{name}.num_batches_tracked"), &[]);
            }
        };
        add("conv1.weight".to_owned(), &[self.width, 3, self.kernel, self.kernel]);
        norm(&mut add, "bn1", self.width);
        let mut channels = self.width;
        for stage in 0..4 {
            let (planes, inner) = (self.width << stage, self.inner << stage);
            let out = if self.bottleneck { 4 * planes } else { planes };
            for block in 0..self.blocks[stage] {
                let name = format!("layer{}.{block}", stage + 1);
                let mut convs = vec![
                    [inner, channels, 1, 1],
                    [inner, inner / self.groups, 3, 3],
                    [out, inner, 1, 1],
                ];
                if !self.bottleneck {
                    convs = vec![[out, channels, 3, 3], [out, out, 3, 3]];
                }
                for (number, conv) in convs.iter().enumerate() {
                    add(format!("{name}.conv{}.weight", number + 1), conv);
                    norm(&mut add, &format!("{name}.bn{}", number + 1), conv[0]);
                }
                if channels != out {
                    add(format!("{name}.downsample.0.weight"), &[out, channels, 1, 1]);
                    norm(&mut add, &format!("{name}.downsample.1"), out);
                }
                channels = out;
            }
        }
        shapes
    }
}

fn prefixed(prefix: &str, shapes: Shapes) -> Shapes {
    let name = |(name, shape): (String, Vec<usize>)| (format!("{prefix}{name}"), shape);
    shapes.into_iter().map(name).collect()
}

/// A projector of three layers, numbered as an `nn.Sequential`.
fn projector(prefix: &str, biases: bool) -> Shapes {
    let mut shapes = Shapes::new();
    for (number, [out, inputs]) in [(0, [8192, 2048]), (3, [8192, 8192]), (6, [8192, 8192])] {
        shapes.push((format!("{prefix}{number}.weight"), vec![out, inputs]));
        if biases {
            shapes.push((format!("{prefix}{number}.bias"), vec![out]));
        }
    }
    for number in [1, 4] {
        for value in ["weight", "bias", "running_mean", "running_var"] {
            shapes.push((format!("{prefix}{number}.{value}"), vec![8192]));
        }
    }
    shapes
}

fn also(prefix: &str, names: &[&str]) -> Shapes {
    names.iter().map(|name| (format!("{prefix}{name}"), vec![4])).collect()
}

fn layout(parts: &[Shapes]) -> Layout {
    let infos: Vec<TensorInfo> = parts
        .concat()
        .into_iter()
        .map(|(name, shape)| TensorInfo {
            name,
            bytes: 0,
            shape,
            dtype: Dtype::F32,
        })
        .collect();
    let layout = recognise(&infos).expect("a ResNet");
    let known = layout.backbone.len() + layout.projector.len() + layout.left_over.len();
    assert_eq!(known, infos.len(), "nothing is lost");
    layout
}

/// All of a ResNet-50, by torchvision's names.
fn check_whole(layout: &Layout, name: &str, network: &Network) {
    let mut found: Vec<&str> = layout.backbone.iter().map(|mapped| mapped.to.as_str()).collect();
    found.sort_unstable();
    let mut expected: Vec<String> = network.shapes().into_iter().map(|(name, _)| name).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let architecture = layout.architecture.as_ref().unwrap();
    assert_eq!(architecture.name().as_deref(), Some(name));
}

#[test]
fn checkpoints_of_other_programs_are_recognised() {
    let network = || RESNET50.shapes();
    let classifier = || also("", &["fc.weight", "fc.bias"]);
    let cases: Vec<(Origin, &str, Vec<Shapes>, usize)> = vec![
        (Origin::Torchvision, "", vec![network(), classifier()], 2),
        (Origin::Torchvision, "module.", vec![prefixed("module.", network())], 0),
        (
            Origin::BarlowTwins,
            "model.module.backbone.",
            vec![
                prefixed("model.module.backbone.", network()),
                projector("model.module.projector.", false),
                also("model.module.bn.", &["running_mean", "running_var"]),
                also("optimizer.state.0.", &["mu"]),
            ],
            3,
        ),
        (
            Origin::SoloLearn,
            "state_dict.backbone.",
            vec![
                prefixed("state_dict.momentum_backbone.", network()),
                prefixed("state_dict.backbone.", network()),
                projector("state_dict.projector.", true),
                also("state_dict.classifier.", &["weight", "bias"]),
            ],
            network().len() + 2,
        ),
        (
            Origin::SoloLearn,
            "state_dict.encoder.",
            vec![
                prefixed("state_dict.encoder.", network()),
                projector("state_dict.projector.", true),
            ],
            0,
        ),
        (
            Origin::Lightly,
            "state_dict.backbone.",
            vec![
                prefixed("state_dict.backbone.", network()),
                projector("state_dict.projection_head.layers.", false),
                also(
                    "state_dict.",
                    &["projection_head.layers.6.bias", "online_classifier.weight"],
                ),
            ],
            1,
        ),
        (
            Origin::MmPretrain,
            "state_dict.backbone.",
            vec![
                prefixed("state_dict.backbone.", network()),
                also("state_dict.neck.", &["bn0.weight", "bn1.running_mean"]),
                vec![("state_dict.neck.fc0.weight".to_owned(), vec![8192, 2048])],
            ],
            0,
        ),
        (
            Origin::Vissl,
            "classy_state_dict.base_model.model.trunk._feature_blocks.",
            vec![
                prefixed("classy_state_dict.base_model.model.trunk._feature_blocks.", network()),
                vec![(
                    "classy_state_dict.base_model.model.heads.0.clf.0.weight".to_owned(),
                    vec![8192, 2048],
                )],
                also("classy_state_dict.base_model.model.heads.0.clf.", &["1.weight"]),
            ],
            // VISSL's heads are beside `trunk`.
            0,
        ),
        (
            Origin::Moco,
            "state_dict.module.encoder_q.",
            vec![
                prefixed("state_dict.module.encoder_k.", network()),
                prefixed("state_dict.module.encoder_q.", network()),
                also("state_dict.module.", &["encoder_q.fc.0.weight", "queue"]),
            ],
            network().len() + 1,
        ),
    ];
    for (origin, prefix, parts, left_over) in cases {
        let layout = layout(&parts);
        assert_eq!((layout.origin, layout.prefix.as_str()), (origin, prefix));
        check_whole(&layout, "resnet50", &RESNET50);
        assert_eq!(layout.left_over.len(), left_over, "{origin}");
    }
}

#[test]
fn this_project_s_own_names_are_recognised() {
    let network = Network {
        counters: false,
        ..RESNET50
    };
    let whole = |prefix: &str| {
        let head = projector(&format!("{prefix}projector."), false);
        [prefixed(&format!("{prefix}backbone."), network.shapes()), head].concat()
    };
    let checkpoint = layout(&[
        whole("model."),
        prefixed("teacher.backbone.", network.shapes()),
        also("optimizer.backbone.", &["conv1.weight#momentum"]),
    ]);
    assert_eq!(
        (checkpoint.origin, checkpoint.prefix.as_str()),
        (Origin::OwnCheckpoint, "model.backbone.")
    );
    check_whole(&checkpoint, "resnet50", &network);
    assert_eq!(checkpoint.projector_dims, [8192; 3]);
    assert_eq!(layout(&[whole("")]).origin, Origin::OwnModel);
}

#[test]
fn numbered_layers_of_lightly_become_named_ones() {
    let children = ["conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4"];
    let numbered = RESNET18.shapes().into_iter().map(|(name, shape)| {
        let (child, rest) = name.split_once('.').unwrap();
        let number = children.iter().position(|known| *known == child).unwrap();
        (format!("backbone.{number}.{rest}"), shape)
    });
    let layout = layout(&[numbered.collect(), projector("projection_head.layers.", false)]);
    assert_eq!(
        (layout.origin, layout.prefix.as_str()),
        (Origin::LightlySequential, "backbone.")
    );
    check_whole(&layout, "resnet18", &RESNET18);
    let to: Vec<&str> = layout.projector.iter().map(|mapped| mapped.to.as_str()).collect();
    assert_eq!(&to[..2], ["projector.0.weight", "projector.3.weight"]);
}

#[test]
fn architectures_are_read_off_the_shapes() {
    for (network, name) in [
        (RESNET18, Some("resnet18")),
        (
            Network {
                blocks: [3, 4, 23, 3],
                ..RESNET50
            },
            Some("resnet101"),
        ),
        (Network { inner: 128, ..RESNET50 }, Some("wide_resnet50_2")),
        (
            Network {
                inner: 128,
                groups: 32,
                ..RESNET50
            },
            Some("resnext50_32x4d"),
        ),
        (
            Network {
                width: 16,
                inner: 16,
                kernel: 3,
                ..RESNET18
            },
            None,
        ),
    ] {
        let layout = layout(&[network.shapes()]);
        let Some(Architecture::ResNet(found)) = layout.architecture else {
            panic!("{:?}", layout.architecture);
        };
        assert_eq!(found.name().as_deref(), name);
        assert_eq!(
            (found.width, found.stem_kernel, found.blocks),
            (network.width, network.kernel, network.blocks)
        );
        let expansion = if network.bottleneck { 32 } else { 8 };
        assert_eq!(found.feature_dim, network.width * expansion);
        assert_eq!(layout.notes.len(), usize::from(network.kernel == 3));
    }
}

#[test]
fn deep_stems_are_reported_and_other_networks_are_not_recognised() {
    let deep = RESNET50.shapes().into_iter().map(|(name, shape)| match name.as_str() {
        "conv1.weight" => ("conv1.0.weight".to_owned(), shape),
        _ => (name, shape),
    });
    let layout = layout(&[deep.collect()]);
    assert_eq!(layout.origin, Origin::Timm);
    assert!(layout.backbone.is_empty() && layout.notes[0].contains("deep stem"));
    let other = TensorInfo {
        name: "blocks.0.attention.weight".to_owned(),
        shape: vec![3, 4],
        dtype: Dtype::F32,
        bytes: 48,
    };
    assert_eq!(recognise(&[other]), None);
    assert_eq!(recognise(&[]), None);
}

#[test]
fn vision_transformers_are_read_off_the_shapes() {
    let shape = |dim: usize, depth: usize, patch: usize, tokens: usize| -> Shapes {
        let mut shapes = vec![
            ("pos_embed".to_owned(), vec![1, tokens, dim]),
            ("patch_embed.proj.weight".to_owned(), vec![dim, 3, patch, patch]),
        ];
        for block in 0..depth {
            shapes.push((format!("blocks.{block}.attn.qkv.weight"), vec![3 * dim, dim]));
            shapes.push((format!("blocks.{block}.mlp.fc1.weight"), vec![4 * dim, dim]));
        }
        shapes
    };
    for (prefix, parts, config, name, heads, image, class_token) in [
        (
            "",
            shape(384, 12, 16, 197),
            Some("vit-small"),
            Some("vit_small_patch16_224"),
            6,
            224,
            true,
        ),
        ("", shape(192, 6, 8, 64), Some("vit-tiny"), None, 3, 64, false),
        (
            "",
            shape(1024, 24, 14, 257),
            None,
            Some("vit_large_patch14_224"),
            16,
            224,
            true,
        ),
        ("", shape(100, 12, 16, 197), None, None, 1, 224, true),
        (
            "module.base_encoder.",
            shape(384, 12, 16, 197),
            Some("vit-small"),
            Some("vit_small_patch16_224"),
            12,
            224,
            true,
        ),
    ] {
        let layout = layout(&[prefixed(prefix, parts)]);
        let Some(Architecture::Vit(found)) = &layout.architecture else {
            panic!("{:?}", layout.architecture);
        };
        assert_eq!(
            (found.heads, found.image, found.class_token),
            (heads, image, class_token)
        );
        let architecture = layout.architecture.as_ref().unwrap();
        assert_eq!(architecture.config_name().as_deref(), config);
        assert_eq!(architecture.name().as_deref(), name);
        assert!(layout.notes[0].contains("attention heads"));
    }
}
