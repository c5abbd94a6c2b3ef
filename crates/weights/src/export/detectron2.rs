//! detectron2's names of a ResNet's layers, as its own converter of torchvision's weights gives them.

use super::checked::{Named, NamedValues};
use super::error::ExportError;
use super::format::ExportFormat;
use super::model::ModelTensor;
use crate::layout::Architecture;

/// What a config of detectron2 must say.
pub(super) const NOTES: [&str; 3] = [
    "In detectron2's config set MODEL.RESNETS.STRIDE_IN_1X1 to False, INPUT.FORMAT to \"RGB\", and MODEL.PIXEL_MEAN and \
     MODEL.PIXEL_STD to 255 times those of the training.",
    "These weights are made for fine-tuning with MODEL.BACKBONE.FREEZE_AT 0 and MODEL.RESNETS.NORM \"SyncBN\"; with frozen batch \
     norms a lower rate is needed.",
    "A C4 model needs a batch norm behind res5, as the published results of self-supervised methods have.",
];

/// The backbone under detectron2's names. Counters of batches are left out: frozen batch norms have none.
pub(super) fn renamed<'m>(
    architecture: &Architecture,
    backbone: &[&'m ModelTensor<'m>],
) -> Result<Vec<Named<'m>>, ExportError> {
    let unsupported = |what: &str| ExportError::Unsupported {
        format: ExportFormat::Detectron2,
        what: what.to_owned(),
        advice: "export it as pth or safetensors",
    };
    match architecture {
        Architecture::Vit(_) => return Err(unsupported("vision transformers of these names")),
        Architecture::ResNet(shape) if shape.stem_kernel != 7 => {
            return Err(unsupported("ResNets with a 3 × 3 stem"));
        }
        Architecture::ResNet(_) => {}
    }
    let tensors = backbone.iter().map(|&tensor| Named {
        name: name(&tensor.name),
        values: NamedValues::Tensor(tensor),
    });
    Ok(tensors.collect())
}

/// detectron2's name for torchvision's.
fn name(name: &str) -> String {
    let mut parts: Vec<String> = name.split('.').map(ToOwned::to_owned).collect();
    let stage = parts[0]
        .strip_prefix("layer")
        .and_then(|stage| stage.parse::<usize>().ok());
    match stage {
        Some(stage) => parts[0] = format!("res{}", stage + 1),
        None => parts.insert(0, "stem".to_owned()),
    }
    let name = parts.join(".");
    let name = name
        .replace("downsample.0", "shortcut")
        .replace("downsample.1", "shortcut.norm");
    (1..=3).fold(name, |name, number| {
        name.replace(&format!(".bn{number}."), &format!(".conv{number}.norm."))
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_are_those_of_detectron2_s_converter() {
        for (torchvision, detectron2) in [
            ("conv1.weight", "stem.conv1.weight"),
            ("bn1.running_var", "stem.conv1.norm.running_var"),
            ("layer1.0.conv2.weight", "res2.0.conv2.weight"),
            ("layer4.2.bn3.bias", "res5.2.conv3.norm.bias"),
            ("layer2.0.downsample.0.weight", "res3.0.shortcut.weight"),
            (
                "layer2.0.downsample.1.running_mean",
                "res3.0.shortcut.norm.running_mean",
            ),
        ] {
            assert_eq!(name(torchvision), detectron2);
        }
    }
}
