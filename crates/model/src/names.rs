//! Names of parameters: torch's, from the path Burn walks. The one place where the two differ.
//!
//! Weights in files, draws of initial weights and buffers of an optimiser are all keyed by these names.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Where a visitor or mapper of a module stands. Feed it from `enter_module` and `exit_module`.
#[derive(Clone, Debug, Default)]
pub struct PathStack {
    segments: Vec<String>,
}

impl PathStack {
    /// To be called by `enter_module`.
    pub fn enter(&mut self, name: &str, _container_type: &str) {
        self.segments.push(name.to_owned());
    }

    /// To be called by `exit_module`.
    pub fn exit(&mut self, _name: &str, _container_type: &str) {
        self.segments.pop();
    }

    /// Torch's name of the parameter that is visited now, such as `backbone.layer1.0.conv1.weight`.
    pub fn name(&self) -> String {
        torch_name(&self.segments)
    }
}

/// Torch's name of the parameter at a path of field names and indices.
///
/// Fields have torchvision's names, so the name is the path joined by dots, except that
/// - `downsample.conv` and `downsample.norm` are `downsample.0` and `downsample.1`;
/// - a projector's `layers.I.linear` and `layers.I.norm` are `3I` and `3I+1`, as in the official `nn.Sequential` of
///   Linear, BatchNorm, ReLU (a projector without norms keeps these numbers).
pub fn torch_name(path: &[String]) -> String {
    let mut name: Vec<String> = Vec::with_capacity(path.len());
    let mut rest = path;
    loop {
        rest = match rest {
            [] => break,
            [layers, index, kind, tail @ ..] if layers == "layers" && (kind == "linear" || kind == "norm") => {
                let index: usize = index.parse().expect("Burn names the members of a Vec by their index");
                name.push((3 * index + usize::from(kind == "norm")).to_string());
                tail
            }
            [downsample, kind, tail @ ..] if downsample == "downsample" && (kind == "conv" || kind == "norm") => {
                name.extend([downsample.clone(), usize::from(kind == "norm").to_string()]);
                tail
            }
            [segment, tail @ ..] => {
                name.push(segment.clone());
                tail
            }
        };
    }
    name.join(".")
}

/// A parameter or running statistic of a module, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedShape {
    /// Torch's name.
    pub name: String,
    /// Torch's shape: a linear weight is [out, in].
    pub shape: Vec<usize>,
}

impl NamedShape {
    /// Whether a forward pass moves it, and no optimiser.
    pub fn is_running_statistic(&self) -> bool {
        self.name.ends_with("running_mean") || self.name.ends_with("running_var")
    }
}

/// Names and shapes of everything in a module, in its own order. Allocates no weights.
pub fn named_shapes<B: Backend, M: Module<B>>(module: &M) -> Vec<NamedShape> {
    let mut visitor = ShapeVisitor::default();
    module.visit(&mut visitor);
    visitor.shapes
}

/// Number of trained values: weights and biases without running statistics. Allocates no weights.
pub fn parameter_count<B: Backend, M: Module<B>>(module: &M) -> usize {
    let trained = named_shapes(module)
        .into_iter()
        .filter(|named| !named.is_running_statistic());
    trained.map(|named| named.shape.iter().product::<usize>()).sum()
}

#[derive(Default)]
struct ShapeVisitor {
    path: PathStack,
    shapes: Vec<NamedShape>,
}

impl<B: Backend> ModuleVisitor<B> for ShapeVisitor {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let mut shape = param.lazy_shape().to_vec();
        if D == 2 {
            shape.reverse();
        }
        self.shapes.push(NamedShape {
            name: self.path.name(),
            shape,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_torch_names() {
        for (path, name) in [
            ("backbone/layer1/0/conv1/weight", "backbone.layer1.0.conv1.weight"),
            ("layer2/0/downsample/conv/weight", "layer2.0.downsample.0.weight"),
            (
                "layer2/0/downsample/norm/running_var",
                "layer2.0.downsample.1.running_var",
            ),
            ("projector/layers/0/linear/weight", "projector.0.weight"),
            ("projector/layers/1/norm/bias", "projector.4.bias"),
            ("layers/2/linear/weight", "6.weight"),
            ("layers/0/other/weight", "layers.0.other.weight"),
        ] {
            let path: Vec<_> = path.split('/').map(str::to_owned).collect();
            assert_eq!(torch_name(&path), name);
        }
    }
}
