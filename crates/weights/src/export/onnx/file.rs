//! The file of a graph: its length is known before its tensors are read, so they are streamed.

use super::graph::{FLOAT, Graph, Initializer, tensor_start};
use super::protobuf::{Message, length_prefix};
use super::{resnet, vit};
use crate::error::WeightsError;
use crate::export::checked::Checked;
use crate::export::error::ExportError;
use crate::export::format::ExportFormat;
use crate::export::model::ExportModel;
use crate::layout::Architecture;
use crate::write::Values;
use std::io::Write;

/// Version of the file format, the one of opset 17's days.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
/// A protocol buffer is below 2 GiB.
const MAX_BYTES: u64 = (1 << 31) - 1;

const IMAGES: &str = "images";
const REPRESENTATION: &str = "representation";
const EMBEDDING: &str = "embedding";

/// An ONNX model that can be written.
pub(in crate::export) struct OnnxFile<'m> {
    /// Fields of the model, without the graph.
    model: Message,
    /// Fields of the graph, without the initialisers.
    graph: Message,
    initializers: Vec<Initializer<'m>>,
    graph_bytes: u64,
}

impl<'m> OnnxFile<'m> {
    pub fn new(model: &ExportModel<'_>, checked: &Checked<'m>) -> Result<Self, ExportError> {
        let is_full = !checked.projector.is_empty();
        let prefix = if is_full { "backbone." } else { "" };
        let mut graph = Graph::default();
        for &tensor in &checked.backbone {
            graph.tensor(format!("{prefix}{}", tensor.name), tensor);
        }
        for &tensor in &checked.projector {
            graph.tensor(tensor.name.clone(), tensor);
        }
        let channels = model.architecture.in_channels().to_string();
        let image = match &model.architecture {
            Architecture::ResNet(shape) => {
                resnet::backbone(&mut graph, shape, prefix, IMAGES, REPRESENTATION);
                ["N", &channels, "height", "width"].map(str::to_owned)
            }
            Architecture::Vit(shape) => {
                vit::backbone(&mut graph, shape, prefix, IMAGES, REPRESENTATION);
                let side = shape.image.to_string();
                ["N", &channels, &side, &side].map(str::to_owned)
            }
        };
        let features = model.architecture.feature_dim().to_string();
        let mut outputs = vec![value_info(REPRESENTATION, &["N".to_owned(), features])];
        if let Some(last) = checked.projector_layers.last() {
            resnet::projector(&mut graph, &checked.projector_layers, REPRESENTATION, EMBEDDING);
            outputs.push(value_info(EMBEDDING, &["N".to_owned(), last.width.to_string()]));
        }
        let Graph {
            nodes, initializers, ..
        } = graph;
        let name = model
            .architecture
            .config_name()
            .unwrap_or_else(|| "backbone".to_owned());
        let graph = Message::default()
            .each(&nodes, |graph, node| graph.message(1, node))
            .text(2, &name)
            .message(11, &value_info(IMAGES, &image))
            .each(&outputs, |graph, output| graph.message(12, output));
        let nodes = graph.0.len() as u64;
        let graph_bytes = initializers
            .iter()
            .fold(nodes, |bytes, initializer| bytes.saturating_add(initializer.bytes()));
        let file = Self {
            model: header(model),
            graph,
            initializers,
            graph_bytes,
        };
        if file.bytes() > MAX_BYTES {
            return Err(ExportError::Unsupported {
                format: ExportFormat::Onnx,
                what: format!("files of {} bytes: 2 GiB is the limit", file.bytes()),
                advice: "export the backbone alone, or as safetensors",
            });
        }
        Ok(file)
    }

    fn bytes(&self) -> u64 {
        let prefix = length_prefix(7, self.graph_bytes).len() as u64;
        (self.model.0.len() as u64 + prefix).saturating_add(self.graph_bytes)
    }

    pub fn write(&self, out: &mut impl Write) -> Result<(), WeightsError> {
        out.write_all(&self.model.0)?;
        out.write_all(&length_prefix(7, self.graph_bytes))?;
        out.write_all(&self.graph.0)?;
        self.initializers
            .iter()
            .try_for_each(|initializer| initializer.write(out))
    }
}

/// The model's fields beside its graph.
fn header(model: &ExportModel<'_>) -> Message {
    let card = &model.card;
    let numbers = |values: &[f32]| {
        let texts: Vec<String> = values.iter().map(f32::to_string).collect();
        texts.join(" ")
    };
    let facts = [
        ("mean", numbers(&card.mean)),
        ("std", numbers(&card.std)),
        ("method", card.method.clone()),
        ("data", card.data.clone()),
    ];
    let producer = if card.program.is_empty() {
        "barlow-weights"
    } else {
        &card.program
    };
    Message::default()
        .int(1, IR_VERSION)
        .text(2, producer)
        .text(
            6,
            "images: RGB in [0, 1], minus mean, divided by std, of shape [N, channels, height, width]",
        )
        .message(8, &Message::default().text(1, "").int(2, OPSET))
        .each(
            facts.iter().filter(|(_, value)| !value.is_empty()),
            |header, (key, value)| header.message(14, &Message::default().text(1, key).text(2, value)),
        )
}

/// A `ValueInfoProto` of floats. A dimension that is no number is a name.
fn value_info(name: &str, dims: &[String]) -> Message {
    let shape = Message::default().each(dims, |shape, dim| {
        let dim = match dim.parse() {
            Ok(size) => Message::default().int(1, size),
            Err(_) => Message::default().text(2, dim),
        };
        shape.message(1, &dim)
    });
    let tensor = Message::default().int(1, FLOAT).message(2, &shape);
    Message::default()
        .text(1, name)
        .message(2, &Message::default().message(1, &tensor))
}

impl Initializer<'_> {
    /// What is before the values of a tensor, from its field's begin in the graph, and the number of their bytes.
    fn start(&self) -> (Vec<u8>, u64) {
        match self {
            Self::Constant(message) => (Message::default().message(5, message).0, 0),
            Self::Tensor { name, tensor } => {
                let values = Values::Lazy(&tensor.values).bytes();
                let mut message = tensor_start(name, &tensor.shape, FLOAT).0;
                message.extend(length_prefix(9, values));
                let mut start = length_prefix(5, values.saturating_add(message.len() as u64));
                start.extend(message);
                (start, values)
            }
        }
    }

    fn bytes(&self) -> u64 {
        let (start, values) = self.start();
        values.saturating_add(start.len() as u64)
    }

    fn write(&self, out: &mut impl Write) -> Result<(), WeightsError> {
        out.write_all(&self.start().0)?;
        if let Self::Tensor { tensor, .. } = self {
            Values::Lazy(&tensor.values).write(out)?;
        }
        Ok(())
    }
}
