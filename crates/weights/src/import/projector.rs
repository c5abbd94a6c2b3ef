//! The layers of a projector, from the shapes of its tensors in the file's own numbers.

use super::error::{ImportFault, ShapeMismatch};
use super::tensor::ImportTensor;
use std::collections::BTreeMap;

/// Norm between the linear map and the activation of a projector's layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectorNorm {
    /// None.
    None,
    /// Batch norm with scale and shift.
    Affine,
    /// Batch norm with a scale and without shift.
    ScaleOnly,
    /// Batch norm without scale and shift.
    Plain,
}

/// A layer of a projector: a linear map, perhaps a norm, and in all but the last a ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectorLayer {
    /// Width of its output.
    pub width: usize,
    /// Whether the linear map has a bias.
    pub bias: bool,
    /// Norm behind the linear map.
    pub norm: ProjectorNorm,
}

/// The layers of a projector whose tensors are named `projector.N.VALUE`, and its tensors with N as this project numbers them: 3i
/// for linear layer i, 3i + 1 for its norm.
///
/// # Errors
/// If layers are incomplete, or do not fit each other or representations of length `inputs`.
pub(crate) fn layers_of(
    tensors: &[ImportTensor],
    inputs: usize,
) -> Result<(Vec<ProjectorLayer>, Vec<ImportTensor>), ImportFault> {
    let mut modules: BTreeMap<usize, BTreeMap<&str, &ImportTensor>> = BTreeMap::new();
    for tensor in tensors {
        let rest = tensor.name.strip_prefix("projector.").unwrap_or(&tensor.name);
        let numbered = rest
            .split_once('.')
            .and_then(|(number, value)| Some((number.parse().ok()?, value)));
        let Some((number, value)) = numbered else {
            return Err(unsupported(format!("the projector's tensor '{rest}' has no number")));
        };
        modules.entry(number).or_default().insert(value, tensor);
    }
    let mut checked = Checked::default();
    let mut layers: Vec<ProjectorLayer> = Vec::new();
    let mut width = inputs;
    for (number, module) in &modules {
        let dims = |value: &str| module.get(value).map(|tensor| tensor.shape.len());
        match (dims("weight"), layers.last_mut()) {
            (Some(2), _) => {
                let weight = module["weight"];
                let out = weight.shape[0];
                checked.add(weight, 3 * layers.len(), "weight", &[out, width]);
                if let Some(bias) = module.get("bias") {
                    checked.add(bias, 3 * layers.len(), "bias", &[out]);
                }
                width = out;
                layers.push(ProjectorLayer {
                    width,
                    bias: module.contains_key("bias"),
                    norm: ProjectorNorm::None,
                });
            }
            (None | Some(1), Some(layer)) if layer.norm == ProjectorNorm::None => {
                layer.norm = match (module.contains_key("weight"), module.contains_key("bias")) {
                    (true, true) => ProjectorNorm::Affine,
                    (true, false) => ProjectorNorm::ScaleOnly,
                    (false, false) => ProjectorNorm::Plain,
                    (false, true) => {
                        checked.missing.push(sibling(module["bias"], "weight"));
                        ProjectorNorm::Affine
                    }
                };
                let at = 3 * (layers.len() - 1) + 1;
                let any = module.values().next().expect("a module has a tensor");
                for value in ["weight", "bias", "running_mean", "running_var"] {
                    match module.get(value) {
                        Some(tensor) => checked.add(tensor, at, value, &[width]),
                        None if value.starts_with("running") => checked.missing.push(sibling(any, value)),
                        None => {}
                    }
                }
            }
            _ => {
                let names: Vec<&str> = module.values().map(|tensor| tensor.from.as_str()).collect();
                return Err(unsupported(format!(
                    "layer {number} of the projector ({}) is neither a linear map nor the norm of one",
                    names.join(", ")
                )));
            }
        }
    }
    if layers.is_empty() && !tensors.is_empty() {
        return Err(unsupported("the projector has no linear layer".to_owned()));
    }
    checked.finish(tensors.len()).map(|tensors| (layers, tensors))
}

/// The name of another value of a tensor's module, in the file.
fn sibling(tensor: &ImportTensor, value: &str) -> String {
    let module = tensor.from.rsplit_once('.').map_or("", |(module, _)| module);
    format!("{module}.{value}")
}

fn unsupported(what: String) -> ImportFault {
    ImportFault::Unsupported {
        what,
        advice: "import the backbone alone",
    }
}

#[derive(Default)]
struct Checked {
    tensors: Vec<ImportTensor>,
    mismatches: Vec<ShapeMismatch>,
    missing: Vec<String>,
}

impl Checked {
    fn add(&mut self, tensor: &ImportTensor, number: usize, value: &str, expected: &[usize]) {
        if tensor.shape != expected {
            self.mismatches.push(ShapeMismatch {
                name: tensor.from.clone(),
                found: tensor.shape.clone(),
                expected: expected.to_vec(),
            });
        }
        self.tensors.push(ImportTensor {
            name: format!("projector.{number}.{value}"),
            ..tensor.clone()
        });
    }

    fn finish(self, whole: usize) -> Result<Vec<ImportTensor>, ImportFault> {
        let network = "projector".to_owned();
        if !self.missing.is_empty() {
            return Err(ImportFault::Incomplete {
                network,
                whole: whole + self.missing.len(),
                missing: self.missing,
            });
        }
        if !self.mismatches.is_empty() {
            return Err(ImportFault::Shapes {
                network: "a projector of these layers".to_owned(),
                mismatches: self.mismatches,
            });
        }
        Ok(self.tensors)
    }
}
