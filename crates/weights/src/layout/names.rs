//! Names of layers: recognition of torchvision's, and translation of others to them.

/// Parameters and statistics of a batch norm.
const NORM: &[&str] = &["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];

/// Whether `name` is one of a torchvision ResNet's without its classifier.
pub(super) fn is_torchvision(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["conv1", "weight"] => true,
        ["bn1", value] => NORM.contains(&value),
        ["layer1" | "layer2" | "layer3" | "layer4", block, ref rest @ ..] if is_number(block) => match *rest {
            ["conv1" | "conv2" | "conv3", "weight"] | ["downsample", "0", "weight"] => true,
            ["bn1" | "bn2" | "bn3", value] | ["downsample", "1", value] => NORM.contains(&value),
            _ => false,
        },
        _ => false,
    }
}

/// torchvision's name of a layer in an `nn.Sequential` of a ResNet's children: 0 is `conv1`, 1 `bn1`, 4 to 7 the stages.
pub(super) fn of_sequential(name: &str) -> Option<String> {
    let (number, rest) = name.split_once('.')?;
    let child = match number {
        "0" => "conv1",
        "1" => "bn1",
        "4" => "layer1",
        "5" => "layer2",
        "6" => "layer3",
        "7" => "layer4",
        _ => return None,
    };
    Some(format!("{child}.{rest}")).filter(|name| is_torchvision(name))
}

/// Whether `name` is one of a vision transformer of timm without its classifier.
pub(super) fn is_vit(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["cls_token" | "pos_embed"] | ["patch_embed", "proj", "weight" | "bias"] | ["norm", "weight" | "bias"] => true,
        ["blocks", block, ref rest @ .., "weight" | "bias"] if is_number(block) => {
            matches!(
                *rest,
                ["norm1" | "norm2"] | ["attn", "qkv" | "proj"] | ["mlp", "fc1" | "fc2"]
            )
        }
        _ => false,
    }
}

/// timm's name of a layer in a vision transformer of torchvision.
pub(super) fn of_torchvision_vit(name: &str) -> Option<String> {
    match name {
        "class_token" => return Some("cls_token".to_owned()),
        "encoder.pos_embedding" => return Some("pos_embed".to_owned()),
        _ => {}
    }
    let (layer, value) = name.rsplit_once('.')?;
    match layer {
        "conv_proj" => return Some(format!("patch_embed.proj.{value}")),
        "encoder.ln" => return Some(format!("norm.{value}")),
        _ => {}
    }
    let (block, layer) = layer.strip_prefix("encoder.layers.encoder_layer_")?.split_once('.')?;
    let (layer, value) = match (layer, value) {
        ("self_attention", "in_proj_weight") => ("attn.qkv", "weight"),
        ("self_attention", "in_proj_bias") => ("attn.qkv", "bias"),
        ("self_attention.out_proj", _) => ("attn.proj", value),
        ("ln_1", _) => ("norm1", value),
        ("ln_2", _) => ("norm2", value),
        ("mlp.0" | "mlp.linear_1", _) => ("mlp.fc1", value),
        ("mlp.3" | "mlp.linear_2", _) => ("mlp.fc2", value),
        _ => return None,
    };
    Some(format!("blocks.{block}.{layer}.{value}")).filter(|name| is_vit(name))
}

/// Whether a text is a number as a module's children are numbered.
fn is_number(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|number| number.to_string() == text)
}

/// A layer of an `nn.Sequential` of Linear, BatchNorm and activation: `0.weight`, `1.running_mean`.
pub(super) fn of_mlp(name: &str) -> Option<String> {
    let (number, value) = name.split_once('.')?;
    let number: u16 = number.parse().ok()?;
    NORM.contains(&value).then(|| format!("projector.{number}.{value}"))
}

/// A layer of mmpretrain's neck: `fc1.weight` is the second Linear, `bn1.weight` its norm.
pub(super) fn of_neck(name: &str) -> Option<String> {
    let (layer, value) = name.split_once('.')?;
    let (number, shift) = match (layer.strip_prefix("fc"), layer.strip_prefix("bn")) {
        (Some(number), _) => (number, 0),
        (_, Some(number)) => (number, 1),
        _ => return None,
    };
    let number: u16 = number.parse().ok().filter(|&number| number < 1000)?;
    NORM.contains(&value)
        .then(|| format!("projector.{}.{value}", 3 * number + shift))
}

/// A layer of VISSL's heads: `1.clf.0.weight` is the second Linear, `1.clf.1.weight` its norm.
pub(super) fn of_vissl_head(name: &str) -> Option<String> {
    let mut parts = name.splitn(4, '.');
    let (head, clf, layer, value) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let head: u16 = head.parse().ok().filter(|&head| head < 1000)?;
    let layer = match (clf, layer) {
        ("clf", "0") => 3 * head,
        ("clf", "1") => 3 * head + 1,
        _ => return None,
    };
    NORM.contains(&value).then(|| format!("projector.{layer}.{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torchvision_s_names_are_known() {
        for name in [
            "conv1.weight",
            "bn1.running_var",
            "layer1.0.conv1.weight",
            "layer3.22.bn3.num_batches_tracked",
            "layer4.0.downsample.0.weight",
            "layer4.0.downsample.1.running_mean",
        ] {
            assert!(is_torchvision(name), "{name}");
        }
        for name in [
            "fc.weight",
            "conv1.bias",
            "conv1.0.weight",
            "layer5.0.conv1.weight",
            "layer1.x.conv1.weight",
            "layer1.0.conv4.weight",
            "layer1.0.downsample.2.weight",
            "layer1.01.conv1.weight",
            "",
        ] {
            assert!(!is_torchvision(name), "{name}");
        }
    }

    #[test]
    fn names_of_vision_transformers_are_known() {
        for name in [
            "cls_token",
            "pos_embed",
            "blocks.11.attn.qkv.bias",
            "blocks.0.mlp.fc2.weight",
        ] {
            assert!(is_vit(name), "{name}");
        }
        for name in [
            "head.weight",
            "blocks.0.ls1.gamma",
            "blocks.01.norm1.weight",
            "norm_pre.weight",
            "",
        ] {
            assert!(!is_vit(name), "{name}");
        }
        let block = "encoder.layers.encoder_layer_3";
        for (name, expected) in [
            ("class_token".to_owned(), "cls_token"),
            ("encoder.pos_embedding".to_owned(), "pos_embed"),
            ("encoder.ln.bias".to_owned(), "norm.bias"),
            (
                format!("{block}.self_attention.in_proj_weight"),
                "blocks.3.attn.qkv.weight",
            ),
            (
                format!("{block}.self_attention.out_proj.bias"),
                "blocks.3.attn.proj.bias",
            ),
            (format!("{block}.mlp.3.weight"), "blocks.3.mlp.fc2.weight"),
            (format!("{block}.mlp.linear_1.weight"), "blocks.3.mlp.fc1.weight"),
        ] {
            assert_eq!(of_torchvision_vit(&name).as_deref(), Some(expected));
        }
        assert_eq!(of_torchvision_vit("heads.head.weight"), None);
    }

    #[test]
    fn other_names_become_torchvision_s_and_this_project_s() {
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(of_sequential("0.weight"), some("conv1.weight"));
        assert_eq!(of_sequential("7.1.bn2.bias"), some("layer4.1.bn2.bias"));
        assert_eq!(of_sequential("8.weight"), None);
        assert_eq!(of_mlp("4.running_mean"), some("projector.4.running_mean"));
        assert_eq!(of_mlp("layers.4.weight"), None);
        assert_eq!(of_neck("fc2.weight"), some("projector.6.weight"));
        assert_eq!(of_neck("bn0.bias"), some("projector.1.bias"));
        assert_eq!(of_neck("avgpool.x"), None);
        assert_eq!(of_vissl_head("2.clf.0.weight"), some("projector.6.weight"));
        assert_eq!(of_vissl_head("0.clf.1.running_var"), some("projector.1.running_var"));
        assert_eq!(of_vissl_head("0.clf.2.weight"), None);
    }
}
