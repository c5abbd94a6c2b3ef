//! Exported names and kinds of parameters, derived from the path of Burn's module visitors.
//!
//! Weights in files, initial values and the buffers of an optimiser are all keyed by these names. All differences
//! between names and paths of field names are defined in this module, by the types on the path, never by field names alone.

use crate::init_as::WeightInit;
use crate::kind::ParamKind;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The segment that a [`BuiltinBackbone`](crate::BuiltinBackbone) adds to the path of its variant.
const BUILTIN_BACKBONE: &str = "Enum:BuiltinBackbone";

/// Current position of a visitor or mapper in a module. Call [`enter`](Self::enter) from `enter_module` and [`exit`](Self::exit)
/// from `exit_module`, with the same arguments.
#[derive(Clone, Debug, Default)]
pub struct PathStack {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
struct Segment {
    name: String,
    container_type: String,
}

impl PathStack {
    /// To be called by `enter_module`.
    pub fn enter(&mut self, name: &str, container_type: &str) {
        self.segments.push(Segment {
            name: name.to_owned(),
            container_type: container_type.to_owned(),
        });
    }

    /// To be called by `exit_module`.
    pub fn exit(&mut self, _name: &str, _container_type: &str) {
        self.segments.pop();
    }

    /// Exported name of the currently visited parameter, such as `backbone.layer1.0.conv1.weight`.
    ///
    /// The fields of this crate's modules have torchvision's names, so the name is the path of field names and indices joined by
    /// dots, except that
    /// - the variant of a [`BuiltinBackbone`](crate::BuiltinBackbone) is omitted: `backbone.conv1.weight`;
    /// - `heads` of a [`Model`](crate::Model) is omitted: `projector.0.weight`;
    /// - layer I of an [`Mlp`](crate::Mlp) has the numbers 3I (linear) and 3I + 1 (norm), as in an `nn.Sequential` of Linear,
    ///   BatchNorm and activation; the numbers do not change if norm or activation are absent;
    /// - the layers of a ResNet's [`Downsample`](crate::Downsample) are `downsample.0` (convolution) and `downsample.1` (norm).
    pub fn name(&self) -> String {
        let mut name: Vec<String> = Vec::with_capacity(self.segments.len());
        let mut rest = &self.segments[..];
        while let [segment, tail @ ..] = rest {
            rest = tail;
            match (segment.typed(), tail) {
                (("Struct:Model", "heads"), [next, ..]) if next.container_type == "Struct:Heads" => {}
                (("Struct:Mlp", "layers"), [index, layer, tail @ ..])
                    if matches!(layer.typed(), ("Struct:MlpLayer", "linear" | "norm")) =>
                {
                    let index: usize = index.name.parse().expect("the index of a Vec's member");
                    name.push((3 * index + usize::from(layer.name == "norm")).to_string());
                    rest = tail;
                }
                (("Struct:Block", "downsample"), [layer, tail @ ..])
                    if matches!(layer.typed(), ("Struct:Downsample", "conv" | "norm")) =>
                {
                    name.extend(["downsample".to_owned(), usize::from(layer.name == "norm").to_string()]);
                    rest = tail;
                }
                ((container_type, _), _)
                    if container_type == BUILTIN_BACKBONE
                        || ParamKind::declared_by(container_type).is_some()
                        || WeightInit::declared_by(container_type).is_some() => {}
                ((_, field), _) => name.push(field.to_owned()),
            }
        }
        name.join(".")
    }

    /// Kind of the currently visited parameter.
    pub fn kind(&self) -> ParamKind {
        let last = self.segments.last().map(Segment::typed);
        last.map_or(ParamKind::Other, |(container_type, field)| {
            ParamKind::of(container_type, field)
        })
    }
}

impl PathStack {
    /// The initial distribution that the innermost [`InitAs`](crate::InitAs) around the currently visited parameter declares.
    pub(crate) fn init(&self) -> Option<WeightInit> {
        let mut containers = self.segments.iter().rev().map(|segment| &segment.container_type);
        containers.find_map(|container_type| WeightInit::declared_by(container_type))
    }
}

impl Segment {
    fn typed(&self) -> (&str, &str) {
        (&self.container_type, &self.name)
    }
}

/// A parameter or running statistic of a module, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedShape {
    /// Exported name.
    pub name: String,
    /// Shape in torch's layout: a linear weight is [out, in].
    pub shape: Vec<usize>,
    /// Kind of the parameter.
    pub kind: ParamKind,
}

/// Names, shapes and kinds of every parameter and running statistic, in the module's order. Allocates no weights.
pub fn named_shapes<B: Backend, M: Module<B>>(module: &M) -> Vec<NamedShape> {
    let mut visitor = ShapeVisitor::default();
    module.visit(&mut visitor);
    visitor.shapes
}

/// Number of trained values: all except [`ParamKind::RunningStatistic`] and [`ParamKind::Frozen`]. Allocates no weights.
pub fn parameter_count<B: Backend, M: Module<B>>(module: &M) -> usize {
    let trained = named_shapes(module).into_iter().filter(|named| named.kind.is_trained());
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
        let kind = self.path.kind();
        let mut shape = param.lazy_shape().to_vec();
        if kind.is_transposed(D) {
            shape.reverse();
        }
        self.shapes.push(NamedShape {
            name: self.path.name(),
            shape,
            kind,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(segments: &[(&str, &str)]) -> PathStack {
        let mut path = PathStack::default();
        for (name, container_type) in segments {
            path.enter(name, container_type);
        }
        path
    }

    #[test]
    fn only_this_crate_s_types_are_renamed() {
        let in_block = |container, field| {
            path(&[
                ("layer2", "Struct:ResNet"),
                ("0", "Vec"),
                ("downsample", "Struct:Block"),
                (field, container),
                ("weight", "Struct:Conv2d"),
            ])
        };
        let in_layers = |mlp, layer, field| {
            path(&[
                ("heads", "Struct:Model"),
                ("projector", "Struct:Heads"),
                ("layers", mlp),
                ("1", "Vec"),
                (field, layer),
                ("weight", "Struct:Linear"),
            ])
        };
        for (path, name) in [
            (in_block("Struct:Downsample", "conv"), "layer2.0.downsample.0.weight"),
            (in_block("Struct:Downsample", "norm"), "layer2.0.downsample.1.weight"),
            (in_block("Struct:Other", "conv"), "layer2.0.downsample.conv.weight"),
            (
                in_layers("Struct:Mlp", "Struct:MlpLayer", "linear"),
                "projector.3.weight",
            ),
            (in_layers("Struct:Mlp", "Struct:MlpLayer", "norm"), "projector.4.weight"),
            (
                in_layers("Struct:Mlp", "Struct:Other", "linear"),
                "projector.layers.1.linear.weight",
            ),
            (
                in_layers("Struct:Other", "Struct:MlpLayer", "norm"),
                "projector.layers.1.norm.weight",
            ),
            (
                path(&[
                    ("layers", "Struct:Own"),
                    ("first", "Struct:Layers"),
                    ("norm", "Struct:First"),
                ]),
                "layers.first.norm",
            ),
            (
                path(&[("heads", "Struct:Model"), ("weight", "Struct:Linear")]),
                "heads.weight",
            ),
            (
                path(&[
                    ("backbone", "Struct:Model"),
                    ("ResNet", "Enum:BuiltinBackbone"),
                    ("conv1", "Struct:ResNet"),
                    ("weight", "Struct:Conv2d"),
                ]),
                "backbone.conv1.weight",
            ),
            (path(&[("cls", "Struct:Own"), ("", ParamKind::Token.marker())]), "cls"),
        ] {
            assert_eq!(path.name(), name);
        }
    }
}
