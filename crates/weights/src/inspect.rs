//! The contents of a weight file, as text and as JSON.

use crate::error::quoted;
use crate::file::{TensorInfo, WeightsFile};
use crate::layout::{Architecture, Layout, recognise};
use crate::tree::Tree;
use serde_json::{Value, json};
use std::fmt::Write;

/// How much of a file is printed as text.
#[derive(Clone, Copy, Debug)]
pub struct InspectOptions {
    /// Most tensors that are listed; the others are counted.
    pub max_tensors: usize,
    /// Most other values that are listed; the others are counted.
    pub max_values: usize,
}

impl Default for InspectOptions {
    fn default() -> Self {
        Self {
            max_tensors: 400,
            max_values: 40,
        }
    }
}

/// A file's format, layout, tensors and other values, as lines of text.
pub fn inspect_text(file: &WeightsFile, options: InspectOptions) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text += &line;
        text.push('\n');
    };
    let tensors = file.tensors();
    let (values, bytes) = totals(tensors);
    line(format!(
        "{}: {} tensors, {} values, {}",
        file.format(),
        thousands(tensors.len() as u64),
        thousands(values),
        size(bytes)
    ));
    match recognise(tensors) {
        Some(layout) => layout_lines(&layout).into_iter().for_each(&mut line),
        None => line("no layout is recognised".to_owned()),
    }
    for (key, value) in file.metadata() {
        line(format!("metadata {}: {}", quoted(key), quoted(value)));
    }
    let listed = &tensors[..tensors.len().min(options.max_tensors)];
    let rows: Vec<[String; 4]> = listed.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for [name, shape, dtype, bytes] in &rows {
        line(format!(
            "  {name:0$}  {shape:1$}  {dtype:2$}  {bytes:>3$}",
            widths[0], widths[1], widths[2], widths[3]
        ));
    }
    if listed.len() < tensors.len() {
        line(format!(
            "  and {} tensors more",
            thousands((tensors.len() - listed.len()) as u64)
        ));
    }
    let mut others = Vec::new();
    collect(file.tree(), &mut String::new(), &mut others);
    for (path, value) in others.iter().take(options.max_values) {
        line(format!("  {path} = {value}"));
    }
    if others.len() > options.max_values {
        let more = (others.len() - options.max_values) as u64;
        line(format!("  and {} values more that are no tensors", thousands(more)));
    }
    text
}

/// A file's format, layout, all tensors and the tree of everything else, as JSON.
pub fn inspect_json(file: &WeightsFile) -> Value {
    let tensors = file.tensors();
    let (values, bytes) = totals(tensors);
    let layout = recognise(tensors).map(|layout| {
        json!({
            "origin": layout.origin.to_string(),
            "prefix": layout.prefix,
            "backbone": layout.architecture.as_ref().map(architecture_json),
            "backbone_tensors": layout.backbone.len(),
            "projector_tensors": layout.projector.len(),
            "projector_dims": layout.projector_dims,
            "left_over": layout.left_over,
            "notes": layout.notes,
        })
    });
    let tensors: Vec<Value> = tensors
        .iter()
        .map(|info| {
            json!({
                "name": info.name,
                "shape": info.shape,
                "dtype": info.dtype.torch_name(),
                "bytes": info.bytes,
            })
        })
        .collect();
    json!({
        "format": file.format().to_string(),
        "values": values,
        "bytes": bytes,
        "layout": layout,
        "metadata": file.metadata(),
        "tensors": tensors,
        "tree": tree_json(file.tree(), file),
    })
}

fn architecture_json(architecture: &Architecture) -> Value {
    match architecture {
        Architecture::ResNet(network) => json!({
            "name": network.name(),
            "depth": network.depth(),
            "blocks": network.blocks,
            "bottleneck": network.bottleneck,
            "width": network.width,
            "in_channels": network.in_channels,
            "stem_kernel": network.stem_kernel,
            "groups": network.groups,
            "inner_width": network.inner_width,
            "feature_dim": network.feature_dim,
        }),
        Architecture::Vit(network) => json!({
            "name": network.name(),
            "depth": network.depth,
            "mlp_dim": network.mlp_dim,
            "patch": network.patch,
            "image": network.image,
            "in_channels": network.in_channels,
            "feature_dim": network.dim,
        }),
    }
}

fn layout_lines(layout: &Layout) -> Vec<String> {
    let mut lines = vec![match layout.prefix.as_str() {
        "" => format!("looks like {}", layout.origin),
        prefix => format!("looks like {}, under {}", layout.origin, quoted(prefix)),
    }];
    if let Some(network) = &layout.architecture {
        lines.push(format!("backbone: {network}"));
    }
    if !layout.projector_dims.is_empty() {
        let dims: Vec<String> = layout.projector_dims.iter().map(usize::to_string).collect();
        lines.push(format!("projector: {}", dims.join("-")));
    }
    if !layout.left_over.is_empty() {
        let shown: Vec<String> = layout.left_over.iter().take(3).map(|name| quoted(name)).collect();
        let dots = if layout.left_over.len() > 3 { ", …" } else { "" };
        lines.push(format!(
            "neither backbone nor projector: {} tensors ({}{dots})",
            thousands(layout.left_over.len() as u64),
            shown.join(", ")
        ));
    }
    lines.extend(layout.notes.iter().map(|note| (*note).to_owned()));
    lines
}

fn row(info: &TensorInfo) -> [String; 4] {
    let shape: Vec<String> = info.shape.iter().map(usize::to_string).collect();
    let name = quoted(&info.name);
    [
        name.trim_matches('\'').to_owned(),
        format!("[{}]", shape.join(", ")),
        info.dtype.to_string(),
        size(info.bytes),
    ]
}

/// Values and bytes of all tensors.
fn totals(tensors: &[TensorInfo]) -> (u64, u64) {
    tensors.iter().fold((0, 0), |(values, bytes), info| {
        let own = info.shape.iter().product::<usize>() as u64;
        (values.saturating_add(own), bytes.saturating_add(info.bytes))
    })
}

/// Values that are no tensors, with their paths.
fn collect(tree: &Tree, path: &mut String, found: &mut Vec<(String, String)>) {
    let inner = |key: &str, tree: &Tree, path: &mut String, found: &mut Vec<(String, String)>| {
        let len = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(quoted(key).trim_matches('\''));
        collect(tree, path, found);
        path.truncate(len);
    };
    let value = match tree {
        Tree::Tensor(_) => return,
        Tree::Dict(entries) => {
            entries.iter().for_each(|(key, tree)| inner(key, tree, path, found));
            return;
        }
        Tree::List(members) => {
            for (number, tree) in members.iter().enumerate() {
                inner(&number.to_string(), tree, path, found);
            }
            return;
        }
        Tree::Opaque { class, parts } => {
            found.push((path.clone(), format!("<{}>", quoted(class).trim_matches('\''))));
            // Attributes, but not how an object is built: that is many lines for each NumPy number.
            let attributes = parts
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "args" | "items" | "state"));
            attributes.for_each(|(key, tree)| inner(key, tree, path, found));
            return;
        }
        Tree::None => "None".to_owned(),
        Tree::Bool(value) => value.to_string(),
        Tree::Int(value) => value.to_string(),
        Tree::Float(value) => value.to_string(),
        Tree::Text(text) => quoted(text),
    };
    found.push((path.clone(), value));
}

fn tree_json(tree: &Tree, file: &WeightsFile) -> Value {
    let entries = |entries: &[(String, Tree)]| -> Value {
        entries
            .iter()
            .map(|(key, tree)| (key.clone(), tree_json(tree, file)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    match tree {
        Tree::Tensor(number) => json!({ "tensor": file.tensors()[*number].name }),
        Tree::Dict(members) => entries(members),
        Tree::List(members) => members.iter().map(|tree| tree_json(tree, file)).collect(),
        Tree::None => Value::Null,
        Tree::Bool(value) => json!(value),
        Tree::Int(value) => json!(value),
        // JSON has no NaN and no infinity.
        Tree::Float(value) if !value.is_finite() => json!(value.to_string()),
        Tree::Float(value) => json!(value),
        Tree::Text(text) => json!(text),
        Tree::Opaque { class, parts } => json!({ "class": class, "parts": entries(parts) }),
    }
}

/// `23508032` as `23,508,032`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with a unit of 1000.
fn size(bytes: u64) -> String {
    let mut text = String::new();
    let (scale, unit) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (1e3, "kB"),
        1_000_000..1_000_000_000 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    write!(text, "{:.1} {unit}", bytes as f64 / scale).expect("a string takes everything");
    text
}
