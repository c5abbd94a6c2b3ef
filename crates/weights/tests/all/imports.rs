//! Checkpoints of other programs, made by them or in their layout (`fixtures/layouts/make.py`), imported to equal bits; and files
//! that are no whole network, refused in one line.

use std::collections::BTreeMap;

use barlow_weights::{
    Architecture, Dtype, Import, ImportError, ImportFault, ImportOptions, ImportTensor, Origin, OutTensor,
    ProjectorImport, ProjectorNorm, RawTensor, Values, WeightsFile, import, write_pth,
};

use crate::fixtures::layout;

fn plan(file: &WeightsFile, projector: ProjectorImport) -> Import {
    import(file, &ImportOptions { projector }).unwrap_or_else(|error| panic!("{error}"))
}

/// Bits of the values of a part, by name.
fn bits(file: &WeightsFile, tensors: &[ImportTensor]) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let read = |tensor: &ImportTensor| {
        let values = tensor.read(file).unwrap();
        assert_eq!(values.len(), tensor.shape.iter().product::<usize>());
        let bits = values.iter().map(|value| value.to_bits()).collect();
        (tensor.name.clone(), (tensor.shape.clone(), bits))
    };
    let found: BTreeMap<_, _> = tensors.iter().map(read).collect();
    assert_eq!(found.len(), tensors.len(), "no name is there twice");
    found
}

/// The same of a reference, below `prefix`, under names that begin with `start`.
fn expected(reference: &str, prefix: &str, start: &str) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let file = layout(reference);
    let infos = file.tensors().iter();
    infos
        .filter_map(|info| {
            let rest = info.name.strip_prefix(prefix)?;
            let values = file.read_f32(&info.name).unwrap();
            let bits = values.iter().map(|value| value.to_bits()).collect();
            Some((format!("{start}{rest}"), (info.shape.clone(), bits)))
        })
        .collect()
}

/// What is ignored, and how many tensors.
fn ignored(plan: &Import) -> Vec<(&'static str, usize)> {
    plan.ignored
        .iter()
        .map(|ignored| (ignored.what, ignored.tensors))
        .collect()
}

const COUNTERS: &str = "num_batches_tracked, which only torch counts";

/// File, origin, reference, whether it has a projector like the reference's, and what is ignored.
type Case = (&'static str, Origin, &'static str, bool, Vec<(&'static str, usize)>);

#[test]
fn every_layout_is_imported_to_equal_bits() {
    // A ResNet-18 has 60 parameters, 40 statistics and 20 counters; the optimiser has a buffer for each parameter.
    let cases: [Case; 12] = [
        (
            "barlowtwins-checkpoint.pth",
            Origin::BarlowTwins,
            "resnet18",
            true,
            vec![
                ("statistics of the loss's standardisation", 3),
                ("state of the optimiser", 60),
                (COUNTERS, 22),
            ],
        ),
        (
            "torchvision.pth",
            Origin::Torchvision,
            "resnet18",
            false,
            vec![("classifier", 2), (COUNTERS, 20)],
        ),
        (
            "mmpretrain.pth",
            Origin::MmPretrain,
            "resnet18",
            true,
            vec![(COUNTERS, 22)],
        ),
        (
            "vissl.torch",
            Origin::Vissl,
            "resnet18",
            true,
            vec![("state of the loss", 1), (COUNTERS, 22)],
        ),
        (
            "moco-v2.pth",
            Origin::Moco,
            "resnet18",
            false,
            vec![("momentum encoder", 124), ("queue of negatives", 2), (COUNTERS, 20)],
        ),
        (
            "solo.ckpt",
            Origin::SoloLearn,
            "solo",
            true,
            vec![
                ("momentum encoder", 120),
                ("classifier", 2),
                ("state of the optimiser", 60),
                (COUNTERS, 22),
            ],
        ),
        (
            "solo-encoder.ckpt",
            Origin::SoloLearn,
            "solo",
            true,
            vec![(COUNTERS, 22)],
        ),
        (
            "lightly.ckpt",
            Origin::Lightly,
            "lightly",
            true,
            vec![("classifier", 1), (COUNTERS, 22)],
        ),
        (
            "lightly-sequential.pth",
            Origin::LightlySequential,
            "lightly",
            true,
            vec![(COUNTERS, 22)],
        ),
        (
            "timm-vit.safetensors",
            Origin::TimmVit,
            "vit",
            false,
            vec![("classifier or other head", 2)],
        ),
        (
            "torchvision-vit.pth",
            Origin::TorchvisionVit,
            "vit",
            false,
            vec![("classifier or other head", 2)],
        ),
        (
            "dino.pth",
            Origin::Dino,
            "vit",
            false,
            vec![
                ("student network", 32),
                ("classifier or other head", 2),
                ("state of the loss", 1),
            ],
        ),
    ];
    for (name, origin, reference, has_projector, expected_ignored) in cases {
        let file = layout(name);
        let plan = plan(&file, ProjectorImport::AsStored);
        assert_eq!(plan.origin, origin, "{name}");
        assert!(
            bits(&file, &plan.backbone) == expected(reference, "backbone.", ""),
            "{name}"
        );
        if has_projector {
            let projector = expected(reference, "projector.", "projector.");
            assert!(bits(&file, &plan.projector) == projector, "{name}");
        }
        let mut found = ignored(&plan);
        let mut expected_ignored = expected_ignored;
        found.sort_unstable();
        expected_ignored.sort_unstable();
        assert_eq!(found, expected_ignored, "{name}");
        let total = plan.backbone.len() + plan.projector.len() + found.iter().map(|(_, count)| count).sum::<usize>();
        assert_eq!(
            total,
            file.tensors().len(),
            "{name}: every tensor is imported or ignored"
        );
        assert!(!plan.summary.contains('\n') && plan.notes.iter().all(|note| !note.contains('\n')));
    }
}

#[test]
fn moco_s_vision_transformer_has_a_projector_with_a_norm_at_its_end() {
    let file = layout("moco-v3-vit.pth");
    let stored = plan(&file, ProjectorImport::AsStored);
    assert_eq!(stored.origin, Origin::Moco);
    assert!(bits(&file, &stored.backbone) == expected("vit", "backbone.", ""));
    let norms: Vec<ProjectorNorm> = stored.projector_layers.iter().map(|layer| layer.norm).collect();
    assert_eq!(norms, [ProjectorNorm::Affine, ProjectorNorm::Plain]);
    assert_eq!(stored.projector_text(), None);
    let fitted = plan(&file, ProjectorImport::Fit);
    assert!(fitted.projector.is_empty());
    assert!(fitted.notes[1].contains("it is skipped"), "{:?}", fitted.notes);
    assert!(ignored(&fitted).contains(&("projector of another structure", 8)));
}

#[test]
fn architecture_and_projector_are_read_off_the_shapes() {
    let settings = |name: &str| plan(&layout(name), ProjectorImport::Fit).settings().unwrap();
    let official = settings("barlowtwins-checkpoint.pth");
    assert_eq!(official.backbone, "resnet18");
    assert_eq!(official.projector.as_deref(), Some("6-6-4"));
    assert!(official.projector_norm);
    assert_eq!(settings("torchvision.pth").projector, None);
    for (name, width, kernel, padding, channels) in [
        ("barlowtwins-checkpoint.pth", 1, 7, 3, 3),
        ("solo.ckpt", 2, 3, 2, 3),
        ("lightly.ckpt", 1, 7, 3, 1),
    ] {
        let Architecture::ResNet(shape) = settings(name).architecture else {
            panic!("{name}");
        };
        let found = (shape.width, shape.stem_kernel, shape.stem_padding, shape.in_channels);
        assert_eq!(found, (width, kernel, padding, channels), "{name}");
    }
    let vit = plan(&layout("timm-vit.safetensors"), ProjectorImport::Fit);
    let Architecture::Vit(shape) = &vit.architecture else {
        panic!("{vit:?}");
    };
    assert_eq!((shape.dim, shape.depth, shape.mlp_dim), (16, 2, 64));
    assert_eq!((shape.patch, shape.image, shape.in_channels), (4, 16, 3));
    let error = vit.settings().unwrap_err().to_string();
    assert!(
        error.contains("2 blocks, width 16") && error.contains("not one of this program's networks"),
        "{error}"
    );
}

#[test]
fn biases_of_a_projector_are_folded_into_the_norms() {
    let file = layout("solo.ckpt");
    let fitted = plan(&file, ProjectorImport::Fit);
    assert_eq!(fitted.projector_text().as_deref(), Some("6-6-4"));
    let read = |name: &str| {
        let tensor = fitted.projector.iter().find(|tensor| tensor.name == name);
        tensor.map(|tensor| tensor.read(&file).unwrap())
    };
    let reference = layout("solo.safetensors");
    let stored = |name: &str| reference.read_f32(name).unwrap();
    for number in [0, 3] {
        let mean = stored(&format!("projector.{}.running_mean", number + 1));
        let bias = stored(&format!("projector.{number}.bias"));
        let expected: Vec<f32> = mean.iter().zip(bias).map(|(mean, bias)| mean - bias).collect();
        assert_eq!(read(&format!("projector.{}.running_mean", number + 1)), Some(expected));
        assert_eq!(read(&format!("projector.{number}.bias")), None);
    }
    assert_eq!(read("projector.4.bias"), Some(stored("projector.4.bias")));
    assert_eq!(read("projector.6.weight"), Some(stored("projector.6.weight")));
    assert_eq!(read("projector.6.bias"), None);
    assert!(ignored(&fitted).contains(&("bias of the projector's last layer", 1)));
    assert!(fitted.notes.iter().any(|note| note.contains("is dropped")));
    assert!(
        fitted
            .notes
            .iter()
            .any(|note| note.contains("subtracted from the running means"))
    );
    assert!(
        fitted
            .notes
            .iter()
            .any(|note| note.contains("2 is assumed, as in solo-learn"))
    );
    let skipped = plan(&file, ProjectorImport::Skip);
    assert!(skipped.projector.is_empty());
    assert!(ignored(&skipped).contains(&("projector, skipped on request", 16)));
}

#[test]
fn what_is_no_projector_is_left_out_or_refused() {
    let gated = altered("barlowtwins-checkpoint.pth", |tensors| {
        tensors.insert("model.module.projector.2.weight".into(), zeros(&[6]));
    });
    let fitted = plan(&gated, ProjectorImport::Fit);
    assert!(fitted.projector.is_empty() && fitted.notes.iter().any(|note| note.contains("it is skipped")));
    assert!(ignored(&fitted).contains(&("projector of another structure", 12)));
    let options = ImportOptions {
        projector: ProjectorImport::AsStored,
    };
    let line = import(&gated, &options).unwrap_err().to_string();
    assert!(
        line.starts_with(
            "layer 2 of the projector (model.module.projector.2.weight) is neither a linear map nor the norm of one; "
        ),
        "{line}"
    );
}

#[test]
fn programs_that_are_not_known_are_imported_under_their_prefix() {
    // SimSiam: an encoder with its projector in the classifier's place; SwAV: a projection head and prototypes beside the layers.
    for (prefix, heads, expected) in [
        (
            "state_dict.module.encoder.",
            &[
                "state_dict.module.encoder.fc.0.weight",
                "state_dict.module.predictor.0.weight",
            ][..],
            vec![("classifier", 1), ("predictor", 1), (COUNTERS, 20)],
        ),
        (
            "module.",
            &["module.projection_head.0.weight", "module.prototypes.weight"],
            vec![("projector of another structure", 1), ("prototypes", 1), (COUNTERS, 20)],
        ),
        ("model._orig_mod.trunk.", &[], vec![(COUNTERS, 20)]),
        (
            "state_dict.",
            &["state_dict_ema.fc.weight", "arch"],
            vec![
                (COUNTERS, 20),
                ("momentum encoder", 1),
                ("neither backbone nor projector", 1),
            ],
        ),
    ] {
        let file = altered("torchvision.pth", |tensors| {
            tensors.retain(|name, _| !name.starts_with("fc."));
            *tensors = std::mem::take(tensors)
                .into_iter()
                .map(|(name, raw)| (format!("{prefix}{name}"), raw))
                .collect();
            tensors.extend(heads.iter().map(|name| ((*name).to_owned(), zeros(&[2, 2]))));
        });
        let found = plan(&file, ProjectorImport::Fit);
        assert!(bits(&file, &found.backbone) == expected_bits(), "{prefix}");
        let (mut ignored, mut expected) = (ignored(&found), expected);
        ignored.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ignored, expected, "{prefix}");
        assert!(
            matches!(found.origin, Origin::Prefixed | Origin::Torchvision),
            "{prefix}: {}",
            found.origin
        );
    }
}

fn expected_bits() -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    expected("resnet18", "backbone.", "")
}

/// A checkpoint with other tensors.
fn altered(name: &str, alter: impl FnOnce(&mut BTreeMap<String, RawTensor>)) -> WeightsFile {
    let file = layout(name);
    let names = file.tensors().iter().map(|info| info.name.clone());
    let mut tensors: BTreeMap<String, RawTensor> = names
        .map(|name| (name.clone(), file.read_raw(&name).unwrap()))
        .collect();
    alter(&mut tensors);
    let out: Vec<OutTensor<'_>> = tensors
        .iter()
        .map(|(name, raw)| OutTensor {
            name,
            shape: &raw.shape,
            values: Values::Raw(raw.dtype, &raw.bytes),
        })
        .collect();
    let mut bytes = Vec::new();
    write_pth(&mut bytes, &out).unwrap();
    WeightsFile::from_bytes(bytes).unwrap()
}

/// The error of importing, which is one line.
fn refused(file: &WeightsFile) -> (ImportFault, String) {
    let error = import(file, &ImportOptions::default()).expect_err("not a whole network");
    let line = error.to_string();
    assert!(line.len() < 2_000 && !line.contains(['\n', '\r']), "{line:?}");
    (error.fault, line)
}

fn zeros(shape: &[usize]) -> RawTensor {
    RawTensor {
        shape: shape.to_vec(),
        dtype: Dtype::F32,
        bytes: vec![0; 4 * shape.iter().product::<usize>()],
    }
}

#[test]
fn half_of_the_keys_are_not_a_network() {
    let half = altered("torchvision.pth", |tensors| {
        tensors.retain(|name, _| !name.starts_with("layer3") && !name.starts_with("layer4"));
    });
    let (fault, line) = refused(&half);
    assert!(matches!(fault, ImportFault::Incomplete { .. }), "{fault:?}");
    assert!(
        line.starts_with(
            "not a whole resnet18: 50 of its 100 tensors are missing (layer3.0.conv1.weight, layer3.0.bn1.weight,"
        ) && line.contains(" and 40 more)"),
        "{line}"
    );
    let one = altered("barlowtwins-checkpoint.pth", |tensors| {
        tensors.remove("model.module.backbone.layer4.1.bn2.bias").unwrap();
    });
    let (_, line) = refused(&one);
    assert!(
        line.contains("1 of its 100 tensors is missing (model.module.backbone.layer4.1.bn2.bias)"),
        "{line}"
    );
    let head = altered("barlowtwins-checkpoint.pth", |tensors| {
        tensors.remove("model.module.projector.4.running_var").unwrap();
    });
    let (_, line) = refused(&head);
    assert!(
        line.contains("not a whole projector") && line.contains("projector.4.running_var"),
        "{line}"
    );
    let second = altered("torchvision.pth", |tensors| {
        tensors.retain(|name, _| name.starts_with("layer4"));
    });
    let (_, line) = refused(&second);
    assert!(
        line.starts_with(
            "neither a ResNet nor a vision transformer with known names among its 30 tensors ('layer4.0.bn1."
        ),
        "{line}"
    );
    let vit = altered("dino.pth", |tensors| {
        tensors.retain(|name, _| !name.contains("blocks.0.mlp"));
    });
    let (_, line) = refused(&vit);
    assert!(
        line.contains("4 of its 30 tensors are missing (teacher.backbone.blocks.0.mlp.fc1.weight"),
        "{line}"
    );
}

#[test]
fn another_depth_is_named() {
    let third = altered("torchvision.pth", |tensors| {
        let block: Vec<(String, RawTensor)> = tensors
            .iter()
            .filter_map(|(name, raw)| Some((format!("layer2.2{}", name.strip_prefix("layer2.1")?), raw.clone())))
            .collect();
        tensors.extend(block);
    });
    // Three blocks in the second stage are on the way to ResNet-34.
    let (_, line) = refused(&third);
    assert!(line.starts_with("not a whole resnet34: "), "{line}");
    let many = altered("torchvision.pth", |tensors| {
        tensors.insert("layer2.40.conv1.weight".into(), zeros(&[2, 2, 3, 3]));
    });
    let (fault, line) = refused(&many);
    assert!(matches!(fault, ImportFault::Unsupported { .. }));
    assert!(
        line.starts_with("a ResNet of 2-41-2-2 blocks is not one of this program's networks; "),
        "{line}"
    );
}

#[test]
fn a_shape_that_does_not_fit_is_named_with_the_expected_one() {
    let wrong = altered("lightly.ckpt", |tensors| {
        tensors.insert("state_dict.backbone.layer3.0.conv1.weight".into(), zeros(&[4, 3, 3, 3]));
    });
    let (fault, line) = refused(&wrong);
    assert!(matches!(fault, ImportFault::Shapes { .. }));
    assert_eq!(
        line,
        "the shapes are not those of a resnet18: 'state_dict.backbone.layer3.0.conv1.weight' has the shape [4, 3, 3, 3], not [4, 2, 3, 3]"
    );
    let head = altered("lightly.ckpt", |tensors| {
        tensors.insert("state_dict.projection_head.layers.3.weight".into(), zeros(&[6, 5]));
    });
    let (_, line) = refused(&head);
    assert!(line.contains("has the shape [6, 5], not [6, 6]"), "{line}");
    let scalar = altered("timm-vit.safetensors", |tensors| {
        tensors.insert("pos_embed".into(), zeros(&[]));
    });
    let (_, line) = refused(&scalar);
    assert!(line.contains("no vision transformer of this program has"), "{line}");
    let tokens = altered("timm-vit.safetensors", |tensors| {
        tensors.insert("pos_embed".into(), zeros(&[1, 19, 16]));
    });
    let (_, line) = refused(&tokens);
    assert!(
        line.contains("'pos_embed' has the shape [1, 19, 16], not [1, 17, 16]"),
        "{line}"
    );
}

#[test]
fn layers_that_no_known_network_has_are_named() {
    let squeezed = altered("torchvision.pth", |tensors| {
        tensors.insert("layer1.0.se.fc1.weight".into(), zeros(&[1, 1, 1, 1]));
    });
    let (fault, line) = refused(&squeezed);
    assert!(matches!(fault, ImportFault::Unexpected { .. }));
    assert!(
        line.contains("1 of its tensors is in no layer of one (layer1.0.se.fc1.weight)"),
        "{line}"
    );
    let scaled = altered("moco-v3-vit.pth", |tensors| {
        for block in 0..12 {
            let name = format!("state_dict.module.base_encoder.blocks.{block}.ls1.gamma");
            tensors.insert(name, zeros(&[16]));
        }
    });
    let (_, line) = refused(&scaled);
    assert!(
        line.contains("12 of its tensors are in no layer of one (") && line.contains(" and 2 more)"),
        "{line}"
    );
    let twice = altered("torchvision-vit.pth", |tensors| {
        let weight = tensors["encoder.layers.encoder_layer_0.mlp.0.weight"].clone();
        tensors.insert("encoder.layers.encoder_layer_0.mlp.linear_1.weight".into(), weight);
    });
    let (_, line) = refused(&twice);
    assert!(
        line.starts_with("both '") && line.contains("'blocks.0.mlp.fc1.weight' of the model"),
        "{line}"
    );
    let complex = altered("torchvision.pth", |tensors| {
        let bias = tensors.get_mut("layer1.0.bn1.bias").unwrap();
        *bias = RawTensor {
            dtype: Dtype::C64,
            bytes: vec![0; 8],
            shape: vec![1],
        };
    });
    let (_, line) = refused(&complex);
    assert!(line.contains("'layer1.0.bn1.bias' holds complex64 values"), "{line}");
}

#[test]
fn deep_stems_and_other_kernels_are_not_imported() {
    let deep = altered("torchvision.pth", |tensors| {
        let stem = tensors.remove("conv1.weight").unwrap();
        tensors.insert("conv1.0.weight".into(), stem);
    });
    let (_, line) = refused(&deep);
    assert!(
        line.starts_with("a ResNet of timm with a deep stem is not one of this program's networks; "),
        "{line}"
    );
    let five = altered("torchvision.pth", |tensors| {
        tensors.insert("conv1.weight".into(), zeros(&[1, 3, 5, 5]));
    });
    let (_, line) = refused(&five);
    assert!(line.starts_with("a ResNet with a 5 × 5 stem"), "{line}");
}

#[test]
fn an_error_names_the_file() {
    let error: ImportError = import(
        &WeightsFile::open(crate::fixtures::path("small.pth")).unwrap(),
        &ImportOptions::default(),
    )
    .unwrap_err();
    let line = error.to_string();
    assert!(
        line.contains("small.pth: neither a ResNet") && line.contains("('first', 'second', …)"),
        "{line}"
    );
}

#[test]
fn half_precision_is_exact_and_double_is_noted() {
    let half = altered("torchvision.pth", |tensors| {
        // 1.0 as bfloat16 and as float64.
        let bf16 = RawTensor {
            dtype: Dtype::Bf16,
            shape: vec![1],
            bytes: vec![0x80, 0x3f],
        };
        tensors.insert("bn1.weight".into(), bf16);
        let double = RawTensor {
            dtype: Dtype::F64,
            shape: vec![1],
            bytes: 1f64.to_le_bytes().to_vec(),
        };
        tensors.insert("bn1.bias".into(), double);
    });
    let plan = plan(&half, ProjectorImport::Fit);
    for name in ["bn1.weight", "bn1.bias"] {
        let tensor = plan.backbone.iter().find(|tensor| tensor.name == name).unwrap();
        assert_eq!(tensor.read(&half).unwrap(), [1.0]);
    }
    assert!(
        plan.notes.iter().any(|note| note.starts_with("One tensor is float64")),
        "{:?}",
        plan.notes
    );
}
