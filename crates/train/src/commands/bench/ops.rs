//! `bench ops`: the convolutions of a network, each pass alone, and products of matrices.

use super::measure::{BenchOptions, Case, in_this_process};
use super::step::Net;
use super::table::Table;
use barlow_engine::error::RunError;
use barlow_engine::timing::{ConvPass, OperationWorkload, Workload};
use barlow_model::ConvShape;
use barlow_train::device::Selected;
use serde_json::json;

/// m, k and n: a projector's layer for 256 images, and a square one, which shows the device's rate.
const PRODUCTS: [[usize; 3]; 2] = [[256, 8192, 8192], [4096, 4096, 4096]];

/// Which operations are timed.
#[derive(Clone, Debug)]
pub struct OpsRequest {
    /// The network.
    pub net: Net,
    /// Images of each convolution.
    pub images: usize,
    /// Only operations whose name contains this.
    pub filter: String,
}

/// Times each distinct convolution of the network (width 64, at its usual size of images) and the products.
///
/// # Errors
/// [`RunError::Usage`] if no operation has such a name.
pub fn run(selected: &Selected, request: &OpsRequest, options: BenchOptions) -> Result<(), RunError> {
    let pixels = match request.net {
        Net::ResNet18Cifar => 32,
        Net::ResNet50 => 224,
    };
    let mut shapes: Vec<ConvShape> = Vec::new();
    for shape in request.net.backbone(64).convolutions(pixels) {
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    let convolutions = shapes
        .iter()
        .flat_map(|&shape| ConvPass::ALL.map(|pass| convolution(shape, request.images, pass)));
    let cases: Vec<Case> = convolutions
        .chain(PRODUCTS.map(product))
        .filter(|case| {
            case.fields["case"]
                .as_str()
                .is_some_and(|name| name.contains(&request.filter))
        })
        .collect();
    if cases.is_empty() {
        return Err(RunError::usage(format!(
            "--case {}: no operation of {} has such a name; remove it to list all of them",
            request.filter,
            request.net.name()
        )));
    }
    let table = Table {
        named: &[("case", 30), ("pass", 8), ("backend", 7)],
    };
    in_this_process("ops", &cases, &table, selected, options)
}

fn convolution(shape: ConvShape, images: usize, pass: ConvPass) -> Case {
    let ConvShape {
        channels_in,
        channels_out,
        kernel,
        stride,
        pixels,
        ..
    } = shape;
    let stride = if stride > 1 {
        format!("-stride{stride}")
    } else {
        String::new()
    };
    let name = format!("{channels_in}-{channels_out}-{pixels}px-{kernel}x{kernel}{stride}-n{images}");
    Case {
        flags: Vec::new(),
        fields: json!({ "case": name, "pass": pass.name() }),
        workload: Workload::Operation(OperationWorkload::Conv { shape, images, pass }),
    }
}

fn product([m, k, n]: [usize; 3]) -> Case {
    Case {
        flags: Vec::new(),
        fields: json!({ "case": format!("product-{m}x{k}x{n}"), "pass": "forward" }),
        workload: Workload::Operation(OperationWorkload::Product { m, k, n }),
    }
}
