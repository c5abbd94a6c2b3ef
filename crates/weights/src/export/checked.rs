//! A model that is exported, compared with its architecture, and its tensors by the names of an export.

use super::model::{ExportModel, ModelTensor};
use crate::import::{ImportFault, ImportTensor, ProjectorLayer, ShapeMismatch, layers_of};
use std::collections::HashMap;

/// A tensor under the name that it has in an export.
pub(super) struct Named<'m> {
    pub name: String,
    pub values: NamedValues<'m>,
}

pub(super) enum NamedValues<'m> {
    Tensor(&'m ModelTensor<'m>),
    /// torch's `num_batches_tracked`.
    Counter(i64),
}

/// A model whose tensors were compared with its architecture, in the architecture's order.
pub(super) struct Checked<'m> {
    pub backbone: Vec<&'m ModelTensor<'m>>,
    pub projector: Vec<&'m ModelTensor<'m>>,
    pub projector_layers: Vec<ProjectorLayer>,
    batches: i64,
}

impl<'m> Checked<'m> {
    /// Compares the model with its architecture.
    ///
    /// # Errors
    /// If tensors are missing, unexpected, twice there or of other shapes.
    pub(super) fn new(model: &'m ExportModel<'_>) -> Result<Self, ImportFault> {
        let backbone = in_order(
            &model.backbone,
            model.architecture.tensors(),
            &model.architecture.to_string(),
        )?;
        let projector: Vec<ImportTensor> = model
            .projector
            .iter()
            .map(|tensor| ImportTensor {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                from: tensor.name.clone(),
                minus: None,
            })
            .collect();
        let (projector_layers, named) = layers_of(&projector, model.architecture.feature_dim())?;
        // Numbers that are not this project's would need other names in every format.
        let expected = named.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
        let projector = in_order(&model.projector, expected, "projector")?;
        Ok(Self {
            backbone,
            projector,
            projector_layers,
            batches: model.batches,
        })
    }

    /// As torch's `state_dict` has it: the backbone's bare names if it is alone, else every part under its own prefix.
    pub(super) fn state_dict(&self) -> Vec<Named<'m>> {
        let prefix = if self.projector.is_empty() { "" } else { "backbone." };
        let backbone = self
            .backbone
            .iter()
            .map(|&tensor| (format!("{prefix}{}", tensor.name), tensor));
        let projector = self.projector.iter().map(|&tensor| (tensor.name.clone(), tensor));
        let mut state = Vec::new();
        for (name, tensor) in backbone.chain(projector) {
            let counter = name
                .strip_suffix("running_var")
                .map(|norm| format!("{norm}num_batches_tracked"));
            state.push(Named {
                name,
                values: NamedValues::Tensor(tensor),
            });
            state.extend(counter.map(|name| Named {
                name,
                values: NamedValues::Counter(self.batches),
            }));
        }
        state
    }
}

/// The tensors in the expected order.
fn in_order<'m>(
    tensors: &'m [ModelTensor<'_>],
    expected: Vec<(String, Vec<usize>)>,
    network: &str,
) -> Result<Vec<&'m ModelTensor<'m>>, ImportFault> {
    let mut by_name: HashMap<&str, &ModelTensor<'_>> = HashMap::new();
    for tensor in tensors {
        if by_name.insert(&tensor.name, tensor).is_some() {
            return Err(ImportFault::Twice {
                name: tensor.name.clone(),
                first: tensor.name.clone(),
                second: tensor.name.clone(),
            });
        }
    }
    let whole = expected.len();
    let network = network.to_owned();
    let (mut ordered, mut missing, mut mismatches) = (Vec::new(), Vec::new(), Vec::new());
    for (name, shape) in expected {
        match by_name.remove(name.as_str()) {
            None => missing.push(name),
            Some(tensor) if tensor.shape != shape => mismatches.push(ShapeMismatch {
                name,
                found: tensor.shape.clone(),
                expected: shape,
            }),
            Some(tensor) => ordered.push(tensor),
        }
    }
    let mut unexpected: Vec<String> = by_name.into_keys().map(ToOwned::to_owned).collect();
    unexpected.sort_unstable();
    if !missing.is_empty() {
        return Err(ImportFault::Incomplete {
            network,
            whole,
            missing,
        });
    }
    if !mismatches.is_empty() {
        return Err(ImportFault::Shapes { network, mismatches });
    }
    match unexpected.is_empty() {
        true => Ok(ordered),
        false => Err(ImportFault::Unexpected { network, unexpected }),
    }
}
