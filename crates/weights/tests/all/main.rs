//! Weight files as torch and others write them, read and written.

mod damaged;
mod exports;
mod fixtures;
mod imports;
mod inspection;
mod layouts;
mod onnx;
mod reading;
mod writing;
