//! ONNX exports: the file is parsed back, its graph checked, and computed by a small interpreter; the results are torch's.

mod checks;
mod evaluate;
mod parse;
