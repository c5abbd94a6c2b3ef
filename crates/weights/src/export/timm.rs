//! The text files of a folder that timm loads: `config.json` and the model card, `README.md`.

use super::card::ModelCard;
use super::error::ExportError;
use super::format::ExportFormat;
use super::model::ExportModel;
use crate::layout::Architecture;
use serde_json::{Map, Value, json};

/// Share of an image's side that timm cuts out for evaluation, and how it scales: 224 of 256 pixels, as usual for these weights.
const CROP: f64 = 0.875;

/// `config.json`, as timm's own `save_config_for_hf` writes it.
pub(super) fn config(model: &ExportModel<'_>) -> Result<String, ExportError> {
    let architecture = &model.architecture;
    let name = architecture_name(architecture).ok_or_else(|| ExportError::Unsupported {
        format: ExportFormat::Timm,
        what: format!("network like this one ({architecture})"),
        advice: "export it as safetensors or pth",
    })?;
    let channels = architecture.in_channels();
    let card = &model.card;
    let pixels = match architecture {
        Architecture::Vit(shape) => shape.image,
        Architecture::ResNet(_) if card.pixels > 0 => card.pixels,
        Architecture::ResNet(_) => 224,
    };
    let mut arguments = Map::new();
    if channels != 3 {
        arguments.insert("in_chans".into(), json!(channels));
    }
    // timm would sum or repeat the channels of a first convolution that it knows of.
    let first_conv = |name: &str| if channels == 3 { json!(name) } else { Value::Null };
    let (pool, first_conv, classifier) = match architecture {
        Architecture::ResNet(_) => ("avg", first_conv("conv1"), "fc"),
        Architecture::Vit(shape) => {
            arguments.insert("patch_size".into(), json!(shape.patch));
            arguments.insert("img_size".into(), json!(shape.image));
            // timm's builder fixes blocks and heads of its sizes.
            arguments.insert("depth".into(), json!(shape.depth));
            arguments.insert("num_heads".into(), json!(shape.heads));
            let pool = if shape.class_token { "token" } else { "avg" };
            if !shape.class_token {
                arguments.insert("class_token".into(), json!(false));
                arguments.insert("global_pool".into(), json!("avg"));
                // The last norm is before the mean.
                arguments.insert("fc_norm".into(), json!(false));
            }
            (pool, first_conv("patch_embed.proj"), "head")
        }
    };
    let mut pretrained = json!({
        "tag": "barlow_twins",
        "custom_load": false,
        "input_size": [channels, pixels, pixels],
        "fixed_input_size": matches!(architecture, Architecture::Vit(_)),
        "interpolation": "bicubic",
        "crop_pct": CROP,
        "crop_mode": "center",
        "num_classes": 0,
        "pool_size": null,
        "first_conv": first_conv,
        "classifier": classifier,
    });
    if !card.mean.is_empty() && !card.std.is_empty() {
        pretrained["mean"] = numbers(&card.mean);
        pretrained["std"] = numbers(&card.std);
    }
    let mut config = json!({
        "architecture": name,
        "num_classes": 0,
        "num_features": architecture.feature_dim(),
        "global_pool": pool,
        "pretrained_cfg": pretrained,
    });
    if !arguments.is_empty() {
        config["model_args"] = Value::Object(arguments);
    }
    Ok(format!("{config:#}\n"))
}

/// timm's name of a network that it builds: it has one width and stem of each ResNet, and patches and images of any size.
fn architecture_name(architecture: &Architecture) -> Option<String> {
    match architecture {
        Architecture::ResNet(shape) if shape.stem_kernel == 7 => shape.name().filter(|name| {
            !name.starts_with("wide_resnet152") && (!name.starts_with("resnext") || name == "resnext50_32x4d")
        }),
        Architecture::ResNet(_) => None,
        Architecture::Vit(shape) => shape.size().map(|size| format!("vit_{size}_patch16_224")),
    }
}

/// As the shortest text that is the same f32, not as the nearest f64.
fn numbers(values: &[f32]) -> Value {
    let number = |value: &f32| value.to_string().parse::<f64>().unwrap_or_default();
    values.iter().map(number).collect()
}

/// `README.md`: the card of a Hugging Face repository. Its licence is left to the user.
pub(super) fn readme(model: &ExportModel<'_>) -> String {
    let ModelCard {
        name,
        method,
        data,
        recipe,
        accuracy,
        program,
        ..
    } = &model.card;
    let architecture = &model.architecture;
    let title = if name.is_empty() {
        "A pre-trained backbone"
    } else {
        name
    };
    let mut text = format!(
        "---\nlibrary_name: timm\ntags:\n- image-feature-extraction\n- timm\n- self-supervised\n\
         # license: choose one, such as apache-2.0, and respect that of the images\n---\n# {}\n\n",
        line(title)
    );
    let method = if method.is_empty() { "self-supervision" } else { method };
    text += &format!("Backbone pre-trained by {}: {architecture}.", line(method));
    if !data.is_empty() {
        text += &format!(" Images: {}.", line(data));
    }
    if !program.is_empty() {
        text += &format!(" Exported by {}.", line(program));
    }
    text += "\n\n## Use\n\n```python\nimport timm\n\nmodel = timm.create_model(\"local-dir:FOLDER\", pretrained=True).eval()\n\
             data = timm.data.resolve_model_data_config(model)\n\
             transform = timm.data.create_transform(**data, is_training=False)\n\
             representation = model(transform(image).unsqueeze(0))\n```\n";
    text += &table("Recipe", ["Setting", "Value"], recipe);
    text += &table("Results", ["Protocol", "Value"], accuracy);
    text
}

fn table(title: &str, [first, second]: [&str; 2], rows: &[(String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cell = |text: &str| line(text).replace('|', "\\|");
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("| {} | {} |\n", cell(name), cell(value)))
        .collect();
    format!("\n## {title}\n\n| {first} | {second} |\n|---|---|\n{rows}")
}

/// A text on one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
