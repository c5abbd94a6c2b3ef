//! A module as named host tensors and back, under torch's names and in torch's layouts.
//!
//! What checkpoints, exports and imports are made of. No files here: bytes of a file format are the next module's,
//! files the program's.

use crate::init::transpose;
use crate::names::{PathStack, named_shapes};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use std::collections::BTreeMap;
use thiserror::Error;

/// Parameters and running statistics by torch's names.
pub type StateDict = BTreeMap<String, HostTensor>;

/// Values of a tensor in memory, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many values as the shape has room for.
    pub data: Vec<f32>,
}

/// Why a state dict does not fit a module.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StateError {
    /// The module has a parameter that the dict lacks.
    #[error(
        "the weights lack '{key}' ({count} of the model's {total} tensors are missing); are they of another model?"
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
    #[error("the weights hold '{key}', which the model lacks ({count} such tensors); are they of another model?")]
    Unexpected {
        /// The first such name.
        key: String,
        /// How many there are.
        count: usize,
    },
    /// Both have it, in different shapes.
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
    /// A tensor with more or fewer values than its shape says.
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
pub fn state_dict<B: Backend, M: Module<B>>(module: &M) -> StateDict {
    let mut reader = Reader {
        path: PathStack::default(),
        state: StateDict::new(),
    };
    module.visit(&mut reader);
    reader.state
}

/// The module with all its values replaced, on the device and with the parameter ids that it has.
///
/// # Errors
/// [`StateError`] if names or shapes differ in any way; the module is then dropped unchanged.
pub fn load_state_dict<B: Backend, M: Module<B>>(module: M, state: &StateDict) -> Result<M, StateError> {
    check_state_dict(&module, state)?;
    Ok(module.map(&mut Writer {
        path: PathStack::default(),
        state,
    }))
}

/// The entries below `prefix` (such as `"backbone."`), with the prefix cut off.
pub fn strip_prefix(state: &StateDict, prefix: &str) -> StateDict {
    let below = state
        .iter()
        .filter_map(|(key, tensor)| Some((key.strip_prefix(prefix)?.to_owned(), tensor.clone())));
    below.collect()
}

/// Whether a dict's names and shapes are a module's. Allocates no weights.
///
/// # Errors
/// [`StateError`].
pub fn check_state_dict<B: Backend, M: Module<B>>(module: &M, state: &StateDict) -> Result<(), StateError> {
    let expected = named_shapes(module);
    let mut missing = expected.iter().filter(|named| !state.contains_key(&named.name));
    if let Some(first) = missing.next() {
        let count = 1 + missing.count();
        return Err(StateError::Missing {
            key: first.name.clone(),
            count,
            total: expected.len(),
        });
    }
    let expected: BTreeMap<_, _> = expected.into_iter().map(|named| (named.name, named.shape)).collect();
    let mut unexpected = state.keys().filter(|key| !expected.contains_key(*key));
    if let Some(key) = unexpected.next() {
        return Err(StateError::Unexpected {
            key: key.clone(),
            count: 1 + unexpected.count(),
        });
    }
    for (key, HostTensor { shape, data }) in state {
        let expected = &expected[key];
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
        if let [inputs, outputs] = shape[..] {
            data = transpose(&data, inputs, outputs);
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
        let data = match shape[..] {
            [outputs, inputs] => transpose(data, outputs, inputs),
            _ => data.clone(),
        };
        let tensor = Tensor::from_data(TensorData::new(data, param.lazy_shape()), &param.lazy_device());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}
