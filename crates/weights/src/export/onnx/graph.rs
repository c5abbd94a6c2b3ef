//! A graph that is being built: nodes in the order of computation, and the initialisers that they read.

use super::protobuf::Message;
use crate::export::model::ModelTensor;

/// ONNX's number of the type float.
pub(super) const FLOAT: i64 = 1;
/// ONNX's number of the type int64.
const INT64: i64 = 7;

/// Nodes and initialisers.
#[derive(Default)]
pub(super) struct Graph<'m> {
    /// Encoded nodes.
    pub nodes: Vec<Message>,
    pub initializers: Vec<Initializer<'m>>,
    /// Number of values that were given a name.
    values: usize,
}

/// A constant of the graph.
pub(super) enum Initializer<'m> {
    /// A tensor of the model, streamed.
    Tensor { name: String, tensor: &'m ModelTensor<'m> },
    /// A small constant: its whole message.
    Constant(Message),
}

/// Value of a node's attribute.
pub(super) enum Attribute<'a> {
    Int(i64),
    Float(f32),
    Ints(&'a [i64]),
}

impl<'m> Graph<'m> {
    /// Adds a node with one output and returns the output's name.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute<'_>)]) -> String {
        self.values += 1;
        let output = format!("{}_{}", op.to_lowercase(), self.values);
        self.named_node(op, inputs, attributes, &output);
        output
    }

    /// Adds a node whose output has this name.
    pub fn named_node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute<'_>)], output: &str) {
        let node = Message::default()
            .each(inputs, |node, input| node.text(1, input))
            .text(2, output)
            .text(3, &format!("{op}_{}", self.nodes.len()))
            .text(4, op)
            .each(attributes, |node, attribute| node.message(5, &encoded(attribute)));
        self.nodes.push(node);
    }

    /// A tensor of the model as an initialiser.
    pub fn tensor(&mut self, name: String, tensor: &'m ModelTensor<'m>) {
        self.initializers.push(Initializer::Tensor { name, tensor });
    }

    /// Integers as an initialiser, a scalar or a vector.
    pub fn ints(&mut self, name: &str, values: &[i64], is_scalar: bool) -> String {
        let dims: Vec<usize> = if is_scalar { Vec::new() } else { vec![values.len()] };
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let message = tensor_start(name, &dims, INT64).bytes(9, &raw);
        self.initializers.push(Initializer::Constant(message));
        name.to_owned()
    }

    /// Floats as an initialiser, a scalar or a vector.
    pub fn floats(&mut self, name: &str, values: &[f32], is_scalar: bool) -> String {
        let dims: Vec<usize> = if is_scalar { Vec::new() } else { vec![values.len()] };
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let message = tensor_start(name, &dims, FLOAT).bytes(9, &raw);
        self.initializers.push(Initializer::Constant(message));
        name.to_owned()
    }
}

/// A `TensorProto` without its values.
pub(super) fn tensor_start(name: &str, dims: &[usize], data_type: i64) -> Message {
    Message::default()
        .each(dims, |tensor, &size| tensor.int(1, size as i64))
        .int(2, data_type)
        .text(8, name)
}

/// An `AttributeProto`.
fn encoded((name, value): &(&str, Attribute<'_>)) -> Message {
    let attribute = Message::default().text(1, name);
    match value {
        Attribute::Float(value) => attribute.float(2, *value).int(20, 1),
        Attribute::Int(value) => attribute.int(3, *value).int(20, 2),
        Attribute::Ints(values) => attribute
            .each(*values, |attribute, &value| attribute.int(8, value))
            .int(20, 7),
    }
}
