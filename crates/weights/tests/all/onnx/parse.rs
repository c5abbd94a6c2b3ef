//! Reads an ONNX file, by the field numbers of onnx.proto. Whatever is not as expected is a panic.

use std::collections::BTreeMap;

/// Values of a tensor in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Data,
}

#[derive(Debug)]
pub enum Attribute {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
}

#[derive(Debug)]
pub struct Node {
    pub op: String,
    pub inputs: Vec<String>,
    pub output: String,
    pub attributes: BTreeMap<String, Attribute>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub ir_version: u64,
    pub opset: u64,
    pub metadata: BTreeMap<String, String>,
    pub nodes: Vec<Node>,
    pub initializers: BTreeMap<String, Tensor>,
    /// Names with their sizes, which are numbers or names.
    pub inputs: Vec<(String, Vec<String>)>,
    pub outputs: Vec<(String, Vec<String>)>,
}

enum Field<'a> {
    Int(u64),
    Float(f32),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn int(&self) -> u64 {
        match self {
            Self::Int(value) => *value,
            _ => panic!("not an integer"),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => panic!("no bytes"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a varint ends");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

/// Numbers and values of a message's fields.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Int(varint(&mut bytes)),
            2 => {
                let len = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at_checked(len).expect("a field is inside of its message");
                bytes = rest;
                Field::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_first_chunk().expect("a float has four bytes");
                bytes = rest;
                Field::Float(f32::from_le_bytes(*value))
            }
            wire => panic!("wire type {wire}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

pub fn model(bytes: &[u8]) -> Model {
    let mut model = Model::default();
    for (number, field) in fields(bytes) {
        match number {
            1 => model.ir_version = field.int(),
            2 | 6 => assert!(!field.text().is_empty()),
            7 => graph(field.bytes(), &mut model),
            8 => {
                for (number, field) in fields(field.bytes()) {
                    match number {
                        1 => assert_eq!(field.text(), "", "the domain of ONNX itself"),
                        2 => model.opset = field.int(),
                        _ => panic!("field {number} of an opset"),
                    }
                }
            }
            14 => {
                let entry = fields(field.bytes());
                model.metadata.insert(entry[0].1.text(), entry[1].1.text());
            }
            _ => panic!("field {number} of a model"),
        }
    }
    model
}

fn graph(bytes: &[u8], model: &mut Model) {
    for (number, field) in fields(bytes) {
        match number {
            1 => model.nodes.push(node(field.bytes())),
            2 => assert!(!field.text().is_empty()),
            5 => {
                let (name, tensor) = tensor(field.bytes());
                assert!(model.initializers.insert(name, tensor).is_none(), "a name is used once");
            }
            11 => model.inputs.push(value_info(field.bytes())),
            12 => model.outputs.push(value_info(field.bytes())),
            _ => panic!("field {number} of a graph"),
        }
    }
}

fn node(bytes: &[u8]) -> Node {
    let mut node = Node {
        op: String::new(),
        inputs: Vec::new(),
        output: String::new(),
        attributes: BTreeMap::new(),
    };
    for (number, field) in fields(bytes) {
        match number {
            1 => node.inputs.push(field.text()),
            2 => {
                assert!(node.output.is_empty(), "one output");
                node.output = field.text();
            }
            3 => assert!(!field.text().is_empty()),
            4 => node.op = field.text(),
            5 => {
                let (name, value) = attribute(field.bytes());
                assert!(node.attributes.insert(name, value).is_none());
            }
            _ => panic!("field {number} of a node"),
        }
    }
    node
}

fn attribute(bytes: &[u8]) -> (String, Attribute) {
    let (mut name, mut value, mut ints) = (String::new(), None, Vec::new());
    let mut kind = 0;
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, field) => name = field.text(),
            (2, Field::Float(float)) => value = Some(Attribute::Float(float)),
            (3, field) => value = Some(Attribute::Int(field.int() as i64)),
            (8, field) => ints.push(field.int() as i64),
            (20, field) => kind = field.int(),
            (number, _) => panic!("field {number} of an attribute"),
        }
    }
    let value = value.unwrap_or(Attribute::Ints(ints));
    let expected = match value {
        Attribute::Float(_) => 1,
        Attribute::Int(_) => 2,
        Attribute::Ints(_) => 7,
    };
    assert_eq!(kind, expected, "the type of {name}");
    (name, value)
}

fn tensor(bytes: &[u8]) -> (String, Tensor) {
    let (mut shape, mut kind, mut name, mut raw) = (Vec::new(), 0, String::new(), None);
    for (number, field) in fields(bytes) {
        match number {
            1 => shape.push(field.int() as usize),
            2 => kind = field.int(),
            8 => name = field.text(),
            9 => raw = Some(field.bytes()),
            _ => panic!("field {number} of a tensor"),
        }
    }
    let raw = raw.expect("a tensor has values");
    let data = match kind {
        1 => Data::Floats(
            raw.as_chunks()
                .0
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect(),
        ),
        7 => Data::Ints(
            raw.as_chunks()
                .0
                .iter()
                .map(|&value| i64::from_le_bytes(value))
                .collect(),
        ),
        _ => panic!("type {kind} of {name}"),
    };
    let len = match &data {
        Data::Floats(values) => values.len(),
        Data::Ints(values) => values.len(),
    };
    assert_eq!(len, shape.iter().product::<usize>(), "{name}");
    (name, Tensor { shape, data })
}

fn value_info(bytes: &[u8]) -> (String, Vec<String>) {
    let info = fields(bytes);
    let tensor_type = fields(info[1].1.bytes());
    assert_eq!((info[0].0, info[1].0, tensor_type[0].0), (1, 2, 1));
    let of_tensor = fields(tensor_type[0].1.bytes());
    assert_eq!((of_tensor[0].0, of_tensor[0].1.int()), (1, 1), "floats");
    let dims = fields(of_tensor[1].1.bytes());
    let dims = dims.iter().map(|(number, dim)| {
        assert_eq!(*number, 1);
        let dim = fields(dim.bytes());
        match dim[0].0 {
            1 => dim[0].1.int().to_string(),
            _ => dim[0].1.text(),
        }
    });
    (info[0].1.text(), dims.collect())
}
