//! The tests of ONNX exports.

use std::collections::BTreeSet;

use barlow_weights::{
    ExportFormat, ExportModel, ImportOptions, ModelCard, ProjectorImport, WeightsFile, export, import,
};

use super::evaluate::run;
use super::parse::{Model, Tensor, model};
use crate::fixtures::layout;

/// The ONNX file of a reference network, with or without its projector.
fn exported(file: &WeightsFile, is_full: bool) -> Vec<u8> {
    let options = ImportOptions {
        projector: if is_full {
            ProjectorImport::AsStored
        } else {
            ProjectorImport::Skip
        },
    };
    let plan = import(file, &options).unwrap();
    let mut network = ExportModel::of_import(file, &plan);
    network.card = ModelCard {
        mean: vec![0.5, 0.25, 0.1],
        std: vec![0.25; 3],
        ..ModelCard::default()
    };
    let mut bytes = Vec::new();
    export(&network, ExportFormat::Onnx).unwrap().write(&mut bytes).unwrap();
    bytes
}

/// Order, names and use of everything in the graph.
fn check(model: &Model) {
    assert_eq!((model.ir_version, model.opset), (8, 17));
    let mut known: BTreeSet<&str> = model.initializers.keys().map(String::as_str).collect();
    let mut used = BTreeSet::new();
    assert_eq!(model.inputs.len(), 1);
    assert!(known.insert(&model.inputs[0].0));
    for node in &model.nodes {
        for input in &node.inputs {
            assert!(
                known.contains(input.as_str()),
                "{input} is not known where {} needs it",
                node.op
            );
            used.insert(input.as_str());
        }
        assert!(known.insert(&node.output), "{} is set twice", node.output);
    }
    let unused: Vec<&&str> = known.iter().filter(|name| !used.contains(*name)).collect();
    let outputs: BTreeSet<&str> = model.outputs.iter().map(|output| output.0.as_str()).collect();
    assert!(
        unused.iter().all(|name| outputs.contains(**name)),
        "{unused:?} have no use"
    );
}

fn tensor(file: &WeightsFile, name: &str) -> Tensor {
    Tensor::floats(&file.info(name).unwrap().shape, file.read_f32(name).unwrap())
}

#[test]
fn graphs_compute_what_torch_computes() {
    for (name, is_full) in [
        ("resnet18", true),
        ("resnet18", false),
        ("bottleneck", true),
        ("groups", false),
        ("lightly", true),
        ("solo", true),
        ("vit", false),
        ("vit-mean", false),
    ] {
        let file = layout(name);
        // The stem of solo-learn has padding 2, which the reference under our own names does not record.
        let bytes = match name {
            "solo" => exported(&layout("solo.ckpt"), is_full),
            _ => exported(&file, is_full),
        };
        let model = model(&bytes);
        check(&model);
        let answers = run(&model, tensor(&file, "input"));
        let outputs: &[&str] = if is_full {
            &["representation", "embedding"]
        } else {
            &["representation"]
        };
        assert_eq!(model.outputs.len(), outputs.len());
        for (output, (declared, dims)) in outputs.iter().zip(&model.outputs) {
            assert_eq!(output, declared);
            let (found, expected) = (&answers[*output], tensor(&file, output));
            assert_eq!(found.shape, expected.shape);
            assert_eq!(dims, &["N".to_owned(), expected.shape[1].to_string()]);
            let scale = expected
                .values()
                .iter()
                .fold(0f32, |scale, value| scale.max(value.abs()));
            for (found, expected) in found.values().iter().zip(expected.values()) {
                assert!(
                    (found - expected).abs() <= 1e-5 * scale,
                    "{name}, {output}: {found} and {expected}"
                );
            }
        }
    }
}

#[test]
fn weights_are_bit_equal_under_torch_s_names() {
    let file = layout("resnet18");
    for is_full in [true, false] {
        let model = model(&exported(&file, is_full));
        let mut count = 0;
        for info in file.tensors() {
            let name = match is_full {
                true => info.name.as_str(),
                false => info.name.strip_prefix("backbone.").unwrap_or(&info.name),
            };
            if let Some(found) = model.initializers.get(name) {
                assert_eq!(found, &tensor(&file, &info.name), "{name}");
                count += 1;
            }
        }
        assert_eq!(count, model.initializers.len(), "a ResNet has no other constants");
        assert_eq!(count, if is_full { 111 } else { 100 });
    }
}

#[test]
fn sizes_are_free_where_the_network_allows_it() {
    let resnet = model(&exported(&layout("resnet18"), false));
    assert_eq!(
        resnet.inputs,
        [(
            "images".into(),
            ["N", "3", "height", "width"].map(str::to_owned).to_vec()
        )]
    );
    assert_eq!(resnet.metadata["mean"], "0.5 0.25 0.1");
    assert_eq!(resnet.metadata["std"], "0.25 0.25 0.25");
    let images = Tensor::floats(
        &[1, 3, 21, 13],
        (0..819).map(|value| (value % 17) as f32 / 8.0).collect(),
    );
    assert_eq!(run(&resnet, images)["representation"].shape, [1, 8]);
    let vit = model(&exported(&layout("vit"), false));
    assert_eq!(vit.inputs[0].1, ["N", "3", "16", "16"]);
}
