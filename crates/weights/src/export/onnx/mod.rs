//! ONNX graphs of the backbones and projectors: opset 17, batch norms as they are in evaluation, weights bit-equal under torch's
//! names.

mod file;
mod graph;
mod protobuf;
mod resnet;
mod vit;

pub(super) use file::OnnxFile;
