//! The graph of a ResNet, and of a projector.

use super::graph::{Attribute, Graph};
use crate::import::{ProjectorLayer, ProjectorNorm};
use crate::layout::{Conv, ResNetShape};

/// Epsilon of every batch norm, torch's default.
const EPSILON: f32 = 1e-5;

/// Adds the layers from `images` to the representation: the last stage, averaged over its pixels.
pub(super) fn backbone(graph: &mut Graph<'_>, shape: &ResNetShape, prefix: &str, images: &str, output: &str) {
    let is_imagenet = shape.stem_kernel == 7;
    let stem = Conv {
        inputs: shape.in_channels,
        out: shape.width,
        kernel: shape.stem_kernel,
        stride: if is_imagenet { 2 } else { 1 },
        groups: 1,
    };
    let mut x = padded_conv_norm(
        graph,
        images,
        &stem,
        shape.stem_padding,
        &format!("{prefix}conv1"),
        &format!("{prefix}bn1"),
    );
    x = graph.node("Relu", &[&x], &[]);
    if is_imagenet {
        let attributes = [
            ("kernel_shape", Attribute::Ints(&[3, 3])),
            ("pads", Attribute::Ints(&[1; 4])),
            ("strides", Attribute::Ints(&[2, 2])),
        ];
        x = graph.node("MaxPool", &[&x], &attributes);
    }
    for block in shape.every_block() {
        let name = format!("{prefix}layer{}.{}", block.stage + 1, block.index);
        let mut y = x.clone();
        for (number, conv) in block.convs.iter().enumerate() {
            if number > 0 {
                y = graph.node("Relu", &[&y], &[]);
            }
            let number = number + 1;
            y = conv_norm(
                graph,
                &y,
                conv,
                &format!("{name}.conv{number}"),
                &format!("{name}.bn{number}"),
            );
        }
        if let Some(conv) = &block.downsample {
            x = conv_norm(
                graph,
                &x,
                conv,
                &format!("{name}.downsample.0"),
                &format!("{name}.downsample.1"),
            );
        }
        let sum = graph.node("Add", &[&y, &x], &[]);
        x = graph.node("Relu", &[&sum], &[]);
    }
    let pooled = graph.node("GlobalAveragePool", &[&x], &[]);
    graph.named_node("Flatten", &[&pooled], &[("axis", Attribute::Int(1))], output);
}

/// A convolution and its norm, padded so that stride 1 keeps the size.
fn conv_norm(graph: &mut Graph<'_>, x: &str, conv: &Conv, name: &str, norm: &str) -> String {
    padded_conv_norm(graph, x, conv, conv.kernel / 2, name, norm)
}

fn padded_conv_norm(graph: &mut Graph<'_>, x: &str, conv: &Conv, padding: usize, name: &str, norm: &str) -> String {
    let [kernel, stride, padding] = [conv.kernel, conv.stride, padding].map(|size| size as i64);
    let attributes = [
        ("dilations", Attribute::Ints(&[1, 1])),
        ("group", Attribute::Int(conv.groups as i64)),
        ("kernel_shape", Attribute::Ints(&[kernel; 2])),
        ("pads", Attribute::Ints(&[padding; 4])),
        ("strides", Attribute::Ints(&[stride; 2])),
    ];
    let x = graph.node("Conv", &[x, &format!("{name}.weight")], &attributes);
    let [weight, bias] = ["weight", "bias"].map(|value| format!("{norm}.{value}"));
    batch_norm(graph, &x, norm, &weight, &bias)
}

fn batch_norm(graph: &mut Graph<'_>, x: &str, norm: &str, weight: &str, bias: &str) -> String {
    let [mean, variance] = ["running_mean", "running_var"].map(|value| format!("{norm}.{value}"));
    let epsilon = [("epsilon", Attribute::Float(EPSILON))];
    graph.node("BatchNormalization", &[x, weight, bias, &mean, &variance], &epsilon)
}

/// Adds the layers of a projector from the representations to `output`.
pub(super) fn projector(graph: &mut Graph<'_>, layers: &[ProjectorLayer], representation: &str, output: &str) {
    let mut x = representation.to_owned();
    for (number, layer) in layers.iter().enumerate() {
        let (linear, norm) = (
            format!("projector.{}", 3 * number),
            format!("projector.{}", 3 * number + 1),
        );
        let (weight, bias) = (format!("{linear}.weight"), format!("{linear}.bias"));
        let mut inputs = vec![x.as_str(), weight.as_str()];
        if layer.bias {
            inputs.push(&bias);
        }
        x = graph.node("Gemm", &inputs, &[("transB", Attribute::Int(1))]);
        if layer.norm != ProjectorNorm::None {
            let mut constant = |value: &str, is_there: bool, fill: f32| match is_there {
                true => format!("{norm}.{value}"),
                // A norm without scale or shift.
                false => graph.floats(&format!("{norm}.{value}"), &vec![fill; layer.width], false),
            };
            let weight = constant("weight", layer.norm != ProjectorNorm::Plain, 1.0);
            let bias = constant("bias", layer.norm == ProjectorNorm::Affine, 0.0);
            x = batch_norm(graph, &x, &norm, &weight, &bias);
        }
        if number + 1 < layers.len() {
            x = graph.node("Relu", &[&x], &[]);
        }
    }
    graph.named_node("Identity", &[&x], &[], output);
}
