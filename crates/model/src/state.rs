//! State dicts: conversion of a module to and from host tensors, with exported names and torch's layouts.
//!
//! Checkpoints, exports and imports consist of state dicts. `safetensors.rs` converts them to bytes; the caller reads and writes
//! the files.

use crate::layout::transpose;
use crate::names::{NamedShape, PathStack, named_shapes};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Parameters and running statistics by exported name.
pub type StateDict = BTreeMap<String, HostTensor>;

/// A tensor in host memory, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values; as many as the shape has elements.
    pub data: Vec<f32>,
}

/// Error of a module without a valid state dict, or of a state dict that does not match a module.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StateError {
    /// Two parameters of the module have the same exported name.
    #[error("two parameters of the model have the exported name '{key}'; rename one of their fields")]
    Duplicate {
        /// The name.
        key: String,
    },
    /// The module has a parameter that the dict lacks.
    #[error(
        "the weights do not contain '{key}' ({count} of the model's {total} tensors are missing); are they from another model?"
    )]
    Missing {
        /// The first such name.
        key: String,
        /// How many there are.
        count: usize,
        /// How many tensors the module has.
        total: usize,
    },
    /// The dict has a tensor that the module lacks.
    #[error(
        "the weights contain '{key}', which the model does not have ({count} such tensors); are they from another model?"
    )]
    Unexpected {
        /// The first such name.
        key: String,
        /// How many there are.
        count: usize,
    },
    /// The shapes of a tensor differ.
    #[error(
        "'{key}' has shape {found:?} in the weights but {expected:?} in the model; \
         check backbone, width, stem and projector"
    )]
    Shape {
        /// Its name.
        key: String,
        /// The module's shape.
        expected: Vec<usize>,
        /// The dict's shape.
        found: Vec<usize>,
    },
    /// The number of values of a tensor does not match its shape.
    #[error("'{key}' has {values} values but shape {shape:?}; the weights are damaged")]
    Length {
        /// Its name.
        key: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its number of values.
        values: usize,
    },
}

/// Every parameter and running statistic of a module, on the host.
///
/// # Errors
/// [`StateError::Duplicate`].
pub fn state_dict<B: Backend, M: Module<B>>(module: &M) -> Result<StateDict, StateError> {
    check_names(module)?;
    let mut reader = Reader {
        path: PathStack::default(),
        state: StateDict::new(),
    };
    module.visit(&mut reader);
    Ok(reader.state)
}

/// Checks that the exported names of a module's parameters are unique. Allocates no weights.
///
/// # Errors
/// [`StateError::Duplicate`].
pub fn check_names<B: Backend, M: Module<B>>(module: &M) -> Result<(), StateError> {
    unique_names(&named_shapes(module))
}

fn unique_names(shapes: &[NamedShape]) -> Result<(), StateError> {
    let mut names = BTreeSet::new();
    match shapes.iter().find(|named| !names.insert(&named.name)) {
        Some(twice) => Err(StateError::Duplicate {
            key: twice.name.clone(),
        }),
        None => Ok(()),
    }
}

/// Replaces all values of the module; device and parameter ids do not change.
///
/// # Errors
/// Same as [`check_state_dict`]; the module is then dropped.
pub fn load_state_dict<B: Backend, M: Module<B>>(module: M, state: &StateDict) -> Result<M, StateError> {
    check_state_dict(&module, state)?;
    Ok(module.map(&mut Writer {
        path: PathStack::default(),
        state,
    }))
}

/// The entries whose name starts with `prefix` (such as `"backbone."`), without the prefix.
pub fn strip_prefix(state: &StateDict, prefix: &str) -> StateDict {
    let below = state
        .iter()
        .filter_map(|(key, tensor)| Some((key.strip_prefix(prefix)?.to_owned(), tensor.clone())));
    below.collect()
}

/// Checks that a state dict has the names and shapes of a module. Allocates no weights.
///
/// # Errors
/// [`StateError`] at the first difference, or if two parameters of the module have the same exported name.
pub fn check_state_dict<B: Backend, M: Module<B>>(module: &M, state: &StateDict) -> Result<(), StateError> {
    check_shapes(&named_shapes(module), state)
}

/// [`check_state_dict`] against the [`named_shapes`] of a module. Not generic, so that it is compiled once.
///
/// # Errors
/// Same as [`check_state_dict`].
pub fn check_shapes(expected: &[NamedShape], state: &StateDict) -> Result<(), StateError> {
    unique_names(expected)?;
    let mut missing = expected.iter().filter(|named| !state.contains_key(&named.name));
    if let Some(first) = missing.next() {
        let count = 1 + missing.count();
        return Err(StateError::Missing {
            key: first.name.clone(),
            count,
            total: expected.len(),
        });
    }
    let expected: BTreeMap<&String, &Vec<usize>> = expected.iter().map(|named| (&named.name, &named.shape)).collect();
    let mut unexpected = state.keys().filter(|key| !expected.contains_key(*key));
    if let Some(key) = unexpected.next() {
        return Err(StateError::Unexpected {
            key: key.clone(),
            count: 1 + unexpected.count(),
        });
    }
    for (key, HostTensor { shape, data }) in state {
        let expected = expected[key];
        if shape != expected {
            let (expected, found) = (expected.clone(), shape.clone());
            return Err(StateError::Shape {
                key: key.clone(),
                expected,
                found,
            });
        }
        if data.len() != shape.iter().product::<usize>() {
            return Err(StateError::Length {
                key: key.clone(),
                shape: shape.clone(),
                values: data.len(),
            });
        }
    }
    Ok(())
}

struct Reader {
    path: PathStack,
    state: StateDict,
}

impl<B: Backend> ModuleVisitor<B> for Reader {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let data = param.val().into_data().convert::<f32>();
        let mut shape = data.shape.to_vec();
        let mut data = data.into_vec::<f32>().expect("just converted to f32");
        if self.path.kind().is_transposed(D) {
            data = transpose(&data, shape[0], shape[1]);
            shape.reverse();
        }
        self.state.insert(self.path.name(), HostTensor { shape, data });
    }
}

struct Writer<'a> {
    path: PathStack,
    state: &'a StateDict,
}

impl<B: Backend> ModuleMapper<B> for Writer<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let HostTensor { shape, data } = &self.state[&self.path.name()];
        let data = if self.path.kind().is_transposed(D) {
            transpose(data, shape[0], shape[1])
        } else {
            data.clone()
        };
        let tensor = Tensor::from_data(TensorData::new(data, param.lazy_shape()), &param.lazy_device());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}
