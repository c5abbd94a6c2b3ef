//! Exports: read back to equal bits, checked before they are written, complete or not there.

use std::collections::BTreeMap;
use std::path::Path;

use barlow_weights::{
    Architecture, Dtype, ExportError, ExportFormat, ExportModel, Fault, ImportFault, ImportOptions, ModelCard,
    ModelTensor, Origin, ProjectorImport, VitShape, WeightsError, WeightsFile, export, import,
};

use crate::fixtures::layout;

const FULL: ImportOptions = ImportOptions {
    projector: ProjectorImport::AsStored,
};
const BARE: ImportOptions = ImportOptions {
    projector: ProjectorImport::Skip,
};

fn model<'a>(file: &'a WeightsFile, options: &ImportOptions) -> ExportModel<'a> {
    ExportModel::of_import(file, &import(file, options).unwrap())
}

fn written(model: &ExportModel<'_>, format: ExportFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    export(model, format).unwrap().write(&mut bytes).unwrap();
    bytes
}

/// Bits of every tensor that is imported, by name.
fn bits(file: &WeightsFile, options: &ImportOptions) -> BTreeMap<String, Vec<u32>> {
    let plan = import(file, options).unwrap();
    let tensors = plan.backbone.iter().chain(&plan.projector);
    tensors
        .map(|tensor| {
            let values = tensor.read(file).unwrap();
            (
                tensor.name.clone(),
                values.iter().map(|value| value.to_bits()).collect(),
            )
        })
        .collect()
}

#[test]
fn what_is_exported_is_imported_to_equal_bits() {
    for name in [
        "resnet18",
        "solo.ckpt",
        "lightly.ckpt",
        "bottleneck",
        "groups",
        "vit",
        "moco-v3-vit.pth",
    ] {
        let file = layout(name);
        for options in [FULL, BARE] {
            let mut model = model(&file, &options);
            model.batches = 12_345;
            for format in [ExportFormat::Safetensors, ExportFormat::Pth] {
                let bytes = written(&model, format);
                assert!(written(&model, format) == bytes, "the same model gives the same bytes");
                let back = WeightsFile::from_bytes(bytes).unwrap();
                assert!(bits(&back, &FULL) == bits(&file, &options), "{name} as {format}");
                let plan = import(&back, &FULL).unwrap();
                assert_eq!(plan.projector.len(), model.projector.len());
                if !plan.projector.is_empty() {
                    assert_eq!(plan.origin, Origin::OwnModel, "{name}");
                }
                let norms = back
                    .tensors()
                    .iter()
                    .filter(|info| info.name.ends_with("running_var"))
                    .count();
                let counters = back
                    .tensors()
                    .iter()
                    .filter(|info| info.name.ends_with("num_batches_tracked"));
                let counters: Vec<&str> = counters.map(|info| info.name.as_str()).collect();
                assert_eq!(counters.len(), norms);
                for name in counters {
                    let info = back.info(name).unwrap();
                    assert_eq!((info.dtype, info.shape.len()), (Dtype::I64, 0));
                    assert_eq!(back.read_f32(name).unwrap(), [12_345.0]);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_inferred_from_weights_is_recorded_where_a_file_can() {
    let file = layout("solo.ckpt");
    let model = model(&file, &BARE);
    let padding = |bytes: Vec<u8>| {
        let plan = import(&WeightsFile::from_bytes(bytes).unwrap(), &FULL).unwrap();
        let Architecture::ResNet(shape) = plan.architecture else {
            panic!("not a ResNet");
        };
        (shape.stem_padding, plan.notes.iter().any(|note| note.contains("stem")))
    };
    assert_eq!(padding(written(&model, ExportFormat::Safetensors)), (2, false));
    assert_eq!(padding(written(&model, ExportFormat::Pth)), (1, true));
    assert!(export(&model, ExportFormat::Pth).unwrap().notes()[0].contains("padding"));
    let bare = layout("resnet18");
    let model = self::model(&bare, &BARE);
    let back = WeightsFile::from_bytes(written(&model, ExportFormat::Safetensors)).unwrap();
    assert_eq!(back.metadata().len(), 1);

    let two = VitShape { heads: 2, ..TINY };
    let model = vit(&two, 0.0);
    assert!(export(&model, ExportFormat::Pth).unwrap().notes()[0].contains("heads, which is 2"));
    let back = WeightsFile::from_bytes(written(&model, ExportFormat::Safetensors)).unwrap();
    let plan = import(&back, &FULL).unwrap();
    assert_eq!(plan.architecture, model.architecture);
    assert!(!plan.notes.iter().any(|note| note.contains("heads")));
}

#[test]
fn a_state_dict_has_torchvision_s_names_in_torch_s_order() {
    let file = layout("torchvision.pth");
    let exported = WeightsFile::from_bytes(written(&model(&file, &FULL), ExportFormat::Pth)).unwrap();
    let names = |file: &WeightsFile| -> Vec<String> {
        let names = file.tensors().iter().map(|info| info.name.clone());
        names.filter(|name| !name.starts_with("fc.")).collect()
    };
    assert_eq!(names(&exported), names(&file));
}

/// A vision transformer whose weights all are `value`.
fn vit(shape: &VitShape, value: f32) -> ExportModel<'static> {
    let architecture = Architecture::Vit(shape.clone());
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let len = shape.iter().product();
        ModelTensor::lazy(name, &shape, move || Ok(vec![value; len]))
    };
    ExportModel {
        backbone: architecture.tensors().into_iter().map(tensor).collect(),
        architecture,
        projector: Vec::new(),
        batches: 0,
        card: ModelCard::default(),
    }
}

const TINY: VitShape = VitShape {
    dim: 192,
    depth: 12,
    heads: 3,
    class_token: true,
    mlp_dim: 768,
    patch: 8,
    image: 32,
    in_channels: 1,
};

#[test]
fn a_folder_for_timm_has_config_card_and_weights() {
    let mut model = vit(&TINY, 0.5);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    model.card = ModelCard {
        name: "Cells".into(),
        method: "Barlow Twins".into(),
        data: "own images".into(),
        recipe: vec![pair("epochs", "100"), pair("a|b", "two\nlines")],
        accuracy: vec![pair("k-NN, k = 20", "71.2 %")],
        mean: vec![0.1],
        std: vec![0.25],
        pixels: 32,
        program: "train 0.1.0".into(),
    };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new/model");
    let paths = export(&model, ExportFormat::Timm).unwrap().write_to(&target).unwrap();
    let names: Vec<&str> = paths
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["config.json", "README.md", "model.safetensors"]);
    let config = std::fs::read_to_string(&paths[0]).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["architecture"], "vit_tiny_patch16_224");
    assert_eq!(
        config["model_args"],
        serde_json::json!({"img_size": 32, "patch_size": 8, "in_chans": 1, "depth": 12, "num_heads": 3})
    );
    assert_eq!(config["num_features"], 192);
    assert_eq!(config["pretrained_cfg"]["input_size"], serde_json::json!([1, 32, 32]));
    assert_eq!(config["pretrained_cfg"]["mean"], serde_json::json!([0.1]));
    assert_eq!(config["pretrained_cfg"]["first_conv"], serde_json::Value::Null);
    let card = std::fs::read_to_string(&paths[1]).unwrap();
    assert!(
        card.starts_with("---\nlibrary_name: timm\n") && card.contains("# license: choose one"),
        "{card}"
    );
    for text in [
        "# Cells",
        "pre-trained by Barlow Twins",
        "own images",
        "| epochs | 100 |",
        "| a\\|b | two lines |",
        "71.2 %",
    ] {
        assert!(card.contains(text), "{text}: {card}");
    }
    let weights = WeightsFile::open(&paths[2]).unwrap();
    assert_eq!(weights.metadata()["format"], "pt");
    assert_eq!(weights.read_f32("blocks.11.norm2.bias").unwrap(), [0.5; 192]);
    assert_eq!(import(&weights, &FULL).unwrap().architecture, model.architecture);
}

#[test]
fn detectron2_s_file_has_its_names() {
    let file = layout("resnet18");
    let model = model(&file, &BARE);
    let export = export(&model, ExportFormat::Detectron2).unwrap();
    assert!(export.notes().iter().any(|note| note.contains("STRIDE_IN_1X1")));
    let bytes = written(&model, ExportFormat::Detectron2);
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for name in [
        "stem.conv1.norm.running_mean",
        "res2.0.conv1.weight",
        "res5.0.shortcut.norm.weight",
    ] {
        assert!(has(name), "{name}");
    }
    assert!(!has("num_batches_tracked") && !has("layer1"));
}

/// The error of an export, which is one line.
fn refused(model: &ExportModel<'_>, format: ExportFormat) -> (ExportError, String) {
    let Err(error) = export(model, format) else {
        panic!("{format} is exported");
    };
    let line = error.to_string();
    assert!(line.len() < 1_000 && !line.contains(['\n', '\r']), "{line:?}");
    (error, line)
}

#[test]
fn a_format_that_lacks_a_network_says_so() {
    let (solo, resnet, lightly) = (layout("solo.ckpt"), layout("resnet18"), layout("lightly"));
    for (model, format, expected) in [
        (
            model(&solo, &BARE),
            ExportFormat::Detectron2,
            "detectron2 has no ResNets with a 3 × 3 stem; ",
        ),
        (
            vit(&TINY, 0.0),
            ExportFormat::Detectron2,
            "detectron2 has no vision transformers of these names; ",
        ),
        (
            model(&resnet, &FULL),
            ExportFormat::Timm,
            "timm has no place for a projector; ",
        ),
        (
            model(&resnet, &FULL),
            ExportFormat::Detectron2,
            "detectron2 has no place for a projector; ",
        ),
        (
            model(&lightly, &BARE),
            ExportFormat::Timm,
            "timm has no network like this one (resnet18 of width 1",
        ),
    ] {
        let (error, line) = refused(&model, format);
        assert!(matches!(error, ExportError::Unsupported { .. }));
        assert!(line.starts_with(expected), "{line}");
    }
    let huge = VitShape { dim: 1 << 16, ..TINY };
    let (_, line) = refused(&vit(&huge, 0.0), ExportFormat::Onnx);
    assert!(
        line.starts_with("onnx has no files of ") && line.contains("2 GiB is the limit"),
        "{line}"
    );
}

#[test]
fn tensors_that_do_not_fit_the_architecture_are_named() {
    let file = layout("resnet18");
    for format in ExportFormat::ALL {
        let mut missing = model(&file, &BARE);
        missing.backbone.retain(|tensor| tensor.name != "layer1.0.conv1.weight");
        let (_, line) = refused(&missing, format);
        assert!(
            line.contains("1 of its 100 tensors is missing (layer1.0.conv1.weight)"),
            "{line}"
        );
        let mut wrong = model(&file, &BARE);
        wrong.backbone[0] = ModelTensor::borrowed("conv1.weight", &[1, 3, 7, 6], &[0.0; 126]);
        let (error, _) = refused(&wrong, format);
        assert!(matches!(error, ExportError::Tensors(ImportFault::Shapes { .. })));
        let mut more = model(&file, &BARE);
        more.backbone.push(ModelTensor::borrowed("fc.weight", &[1], &[0.0]));
        let (_, line) = refused(&more, format);
        assert!(line.contains("(fc.weight)"), "{line}");
        let mut twice = model(&file, &BARE);
        twice.backbone.push(ModelTensor::borrowed("conv1.weight", &[1], &[0.0]));
        assert!(matches!(
            refused(&twice, format).0,
            ExportError::Tensors(ImportFault::Twice { .. })
        ));
    }
    let mut head = model(&file, &FULL);
    head.projector.retain(|tensor| tensor.name != "projector.1.running_var");
    let (_, line) = refused(&head, ExportFormat::Safetensors);
    assert!(
        line.contains("not a whole projector") && line.contains("projector.1.running_var"),
        "{line}"
    );
}

#[test]
fn a_file_is_complete_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    let file = layout("resnet18");
    for format in [
        ExportFormat::Safetensors,
        ExportFormat::Pth,
        ExportFormat::Onnx,
        ExportFormat::Detectron2,
    ] {
        let path = folder.path().join(format.name());
        for bad in [true, false] {
            let mut model = model(&file, &BARE);
            let last = model.backbone.last_mut().unwrap();
            let (shape, count) = (last.shape.clone(), last.shape[0]);
            *last = ModelTensor::lazy(last.name.clone(), &shape, move || match bad {
                true => Err(WeightsError {
                    path: Some("runs/x".into()),
                    fault: Fault::Missing { name: "last".into() },
                }),
                // Too few.
                false => Ok(vec![0.0; count - 1]),
            });
            let before = entries(folder.path());
            let error = export(&model, format).unwrap().write_to(&path).unwrap_err().to_string();
            let expected = if bad {
                "runs/x: it has no tensor 'last'"
            } else {
                "7 values were read where 8 were expected"
            };
            assert!(error.ends_with(expected) && error.contains(format.name()), "{error}");
            assert_eq!(entries(folder.path()), before, "nothing is left behind");
        }
        let paths = export(&model(&file, &BARE), format).unwrap().write_to(&path).unwrap();
        assert_eq!(paths, std::slice::from_ref(&path));
        assert_eq!(std::fs::read(&path).unwrap(), written(&model(&file, &BARE), format));
    }
    let nowhere = folder.path().join("absent/file.pth");
    let error = export(&model(&file, &BARE), ExportFormat::Pth)
        .unwrap()
        .write_to(&nowhere)
        .unwrap_err();
    assert!(error.to_string().contains("file.pth"), "{error}");
}

#[test]
fn formats_have_names() {
    for format in ExportFormat::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "tflite".parse::<ExportFormat>().unwrap_err();
    assert_eq!(
        error,
        "'tflite' is not a format of exports; use one of safetensors, pth, timm, detectron2, onnx"
    );
}
