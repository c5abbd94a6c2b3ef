//! The graph of a vision transformer: the class token behind the last norm is the representation, or the mean of all tokens where
//! there is none.

use super::graph::{Attribute, Graph};
use crate::layout::VitShape;

/// Epsilon of every layer norm, as in timm, torchvision and DINO.
const EPSILON: f32 = 1e-6;

/// Adds the layers from `images` to the representation.
pub(super) fn backbone(graph: &mut Graph<'_>, shape: &VitShape, prefix: &str, images: &str, output: &str) {
    let constants = Constants::new(graph, shape);
    let patch = shape.patch as i64;
    let name = |rest: &str| format!("{prefix}{rest}");
    let attributes = [
        ("kernel_shape", Attribute::Ints(&[patch; 2])),
        ("strides", Attribute::Ints(&[patch; 2])),
    ];
    let patches = graph.node(
        "Conv",
        &[images, &name("patch_embed.proj.weight"), &name("patch_embed.proj.bias")],
        &attributes,
    );
    // [N, D, rows, columns] becomes [N, patches, D].
    let patches = graph.node("Reshape", &[&patches, &constants.flat], &[]);
    let patches = graph.node("Transpose", &[&patches], &[("perm", Attribute::Ints(&[0, 2, 1]))]);
    let tokens = match shape.class_token {
        true => with_class_token(graph, &constants, &patches, &name("cls_token"), images),
        false => patches,
    };
    let mut x = graph.node("Add", &[&tokens, &name("pos_embed")], &[]);
    for block in 0..shape.depth {
        let layer = |rest: &str| format!("{prefix}blocks.{block}.{rest}");
        let y = layer_norm(graph, &x, &layer("norm1"));
        let y = attention(graph, &constants, &y, &layer("attn"));
        x = graph.node("Add", &[&x, &y], &[]);
        let y = layer_norm(graph, &x, &layer("norm2"));
        let y = linear(graph, &y, &layer("mlp.fc1"));
        let y = gelu(graph, &constants, &y);
        let y = linear(graph, &y, &layer("mlp.fc2"));
        x = graph.node("Add", &[&x, &y], &[]);
    }
    let x = layer_norm(graph, &x, &name("norm"));
    let axis = Attribute::Int(1);
    match shape.class_token {
        true => graph.named_node("Gather", &[&x, &constants.numbers[0]], &[("axis", axis)], output),
        false => {
            let attributes = [("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(0))];
            graph.named_node("ReduceMean", &[&x], &attributes, output);
        }
    }
}

/// [N, 1 + patches, D]
fn with_class_token(graph: &mut Graph<'_>, constants: &Constants, patches: &str, token: &str, images: &str) -> String {
    let range = [("start", Attribute::Int(0)), ("end", Attribute::Int(1))];
    let number = graph.node("Shape", &[images], &range);
    let shape = graph.node("Concat", &[&number, &constants.token], &[("axis", Attribute::Int(0))]);
    let token = graph.node("Expand", &[token, &shape], &[]);
    graph.node("Concat", &[&token, patches], &[("axis", Attribute::Int(1))])
}

/// Names of the constants that all blocks share.
struct Constants {
    numbers: [String; 3],
    /// Shape of the patches: [N, D, all].
    flat: String,
    /// Shape of a class token, without N; empty where there is none.
    token: String,
    /// Shape of queries, keys and values: [N, T, 3, heads, D / heads].
    split: String,
    /// Shape of joined heads: [N, T, D].
    joined: String,
    /// 1 / √(D / heads).
    scale: String,
    root_of_2: String,
    one: String,
    half: String,
}

impl Constants {
    fn new(graph: &mut Graph<'_>, shape: &VitShape) -> Self {
        let [dim, heads] = [shape.dim, shape.heads].map(|size| size as i64);
        let head = dim / heads;
        Self {
            numbers: [0, 1, 2].map(|number| graph.ints(&format!("number_{number}"), &[number], true)),
            flat: graph.ints("shape_of_patches", &[0, dim, -1], false),
            token: match shape.class_token {
                true => graph.ints("shape_of_token", &[1, dim], false),
                false => String::new(),
            },
            split: graph.ints("shape_of_heads", &[0, 0, 3, heads, head], false),
            joined: graph.ints("shape_of_tokens", &[0, 0, dim], false),
            scale: graph.floats("attention_scale", &[1.0 / (head as f32).sqrt()], true),
            root_of_2: graph.floats("root_of_2", &[std::f32::consts::SQRT_2], true),
            one: graph.floats("one", &[1.0], true),
            half: graph.floats("half", &[0.5], true),
        }
    }
}

fn layer_norm(graph: &mut Graph<'_>, x: &str, name: &str) -> String {
    let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(EPSILON))];
    let [weight, bias] = ["weight", "bias"].map(|value| format!("{name}.{value}"));
    graph.node("LayerNormalization", &[x, &weight, &bias], &attributes)
}

/// x · Wᵀ + b, with the weight as torch stores it.
fn linear(graph: &mut Graph<'_>, x: &str, name: &str) -> String {
    let weight = graph.node(
        "Transpose",
        &[&format!("{name}.weight")],
        &[("perm", Attribute::Ints(&[1, 0]))],
    );
    let product = graph.node("MatMul", &[x, &weight], &[]);
    graph.node("Add", &[&product, &format!("{name}.bias")], &[])
}

fn attention(graph: &mut Graph<'_>, constants: &Constants, x: &str, name: &str) -> String {
    let all = linear(graph, x, &format!("{name}.qkv"));
    let all = graph.node("Reshape", &[&all, &constants.split], &[]);
    let all = graph.node("Transpose", &[&all], &[("perm", Attribute::Ints(&[2, 0, 3, 1, 4]))]);
    let [queries, keys, values] = [0, 1, 2].map(|number: usize| {
        graph.node(
            "Gather",
            &[&all, &constants.numbers[number]],
            &[("axis", Attribute::Int(0))],
        )
    });
    let queries = graph.node("Mul", &[&queries, &constants.scale], &[]);
    let keys = graph.node("Transpose", &[&keys], &[("perm", Attribute::Ints(&[0, 1, 3, 2]))]);
    let scores = graph.node("MatMul", &[&queries, &keys], &[]);
    let shares = graph.node("Softmax", &[&scores], &[("axis", Attribute::Int(-1))]);
    let heads = graph.node("MatMul", &[&shares, &values], &[]);
    let heads = graph.node("Transpose", &[&heads], &[("perm", Attribute::Ints(&[0, 2, 1, 3]))]);
    let joined = graph.node("Reshape", &[&heads, &constants.joined], &[]);
    linear(graph, &joined, &format!("{name}.proj"))
}

/// x · ½ (1 + erf(x / √2)).
fn gelu(graph: &mut Graph<'_>, constants: &Constants, x: &str) -> String {
    let scaled = graph.node("Div", &[x, &constants.root_of_2], &[]);
    let erf = graph.node("Erf", &[&scaled], &[]);
    let sum = graph.node("Add", &[&erf, &constants.one], &[]);
    let product = graph.node("Mul", &[x, &sum], &[]);
    graph.node("Mul", &[&product, &constants.half], &[])
}
