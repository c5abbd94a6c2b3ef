//! The optimisers, applied to a module parameter by parameter.
//!
//! Own code because Burn's adaptor has one learning rate and no LARS, and keys its state by random ids: here the state
//! is keyed by the parameter's exported name, so a checkpoint means the same thing on every backend.

mod adamw;
mod build;
mod defaults;
#[cfg(feature = "cpu")]
mod flex;
mod lars;
mod ops;
#[cfg(all(test, feature = "cpu"))]
mod parity;
mod sgd;

pub use adamw::AdamW;
pub use build::{peak_rates, rule, settle_rates};
pub use defaults::{DefaultRates, default_rates};
pub use lars::Lars;
pub use ops::OptimOps;
pub use sgd::Sgd;

use barlow_model::{HostTensor, PathStack, StateDict};
use burn::module::{AutodiffModule, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use std::collections::BTreeMap;

/// The rates of one step, schedule applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningRates {
    /// For parameters of rank two and more.
    pub weights: f64,
    /// For parameters of rank one: biases and the norms' scale and shift.
    pub biases: f64,
}

/// What an update rule does to one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Layer-wise adaptive rate scaling, in the official form.
    Lars(Lars),
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
}

/// One parameter as the rules see it.
///
/// Values are laid out as a matrix of `dims[0]` rows, whatever the parameter's rank, so that norms are summed along rows
/// first: a fixed order, where one flat sum over a large tensor is not (its order depends on the threads).
pub struct Update<B: Backend> {
    /// The parameter.
    pub value: Tensor<B, 2>,
    /// Its gradient.
    pub gradient: Tensor<B, 2>,
    /// The rule's buffers; empty at the first step.
    pub buffers: Vec<Tensor<B, 2>>,
    /// Whether the parameter is of rank one: no weight decay, no adaptation.
    pub is_vector: bool,
    /// The rate of its group.
    pub learning_rate: f64,
    /// Updates made before this one.
    pub step: u64,
}

impl<B: Backend> Update<B> {
    /// A step of momentum: `µ ← m·µ + direction`, `p ← p − lr·µ`; the buffer is µ.
    fn along(mut self, direction: Tensor<B, 2>, momentum: f64) -> Updated<B> {
        let moved = match self.buffers.pop() {
            Some(buffer) => buffer * momentum + direction,
            None => direction,
        };
        (self.value - moved.clone() * self.learning_rate, vec![moved])
    }
}

/// A parameter's new value, and the rule's buffers for its next update.
pub type Updated<B> = (Tensor<B, 2>, Vec<Tensor<B, 2>>);

/// An update rule with its buffers.
#[derive(Clone, Debug)]
pub struct Optimizer<B: Backend> {
    rule: Rule,
    step: u64,
    buffers: BTreeMap<String, Vec<Tensor<B, 2>>>,
}

impl<B: OptimOps> Optimizer<B> {
    /// An optimiser that has made no step.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            step: 0,
            buffers: BTreeMap::new(),
        }
    }

    /// Applies one update to every parameter that has a gradient.
    pub fn step<A, M>(&mut self, model: M, gradients: GradientsParams, rates: LearningRates) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: AutodiffModule<A>,
    {
        let model = model.map(&mut Mapper {
            optimizer: self,
            gradients,
            rates,
            path: PathStack::default(),
        });
        self.step += 1;
        model
    }

    /// The buffers on the host, by `<parameter name>#<buffer>`: matrices of the parameter's first axis by the rest, in the
    /// layout that the network computes with (a linear weight's is [in, out], where the exported weight is [out, in]).
    pub fn state(&self) -> StateDict {
        let mut state = StateDict::new();
        for (name, buffers) in &self.buffers {
            for (index, buffer) in buffers.iter().enumerate() {
                let shape = buffer.dims().to_vec();
                let data = buffer
                    .to_data()
                    .convert::<f32>()
                    .to_vec()
                    .expect("converted to f32 above");
                state.insert(format!("{name}#{index}"), HostTensor { shape, data });
            }
        }
        state
    }

    /// Takes up where [`Optimizer::state`] left off, `step` updates into the run; `model` has the parameters' values.
    ///
    /// # Errors
    /// A text naming the entry that is not of that form.
    pub fn load_state(
        &mut self,
        state: &StateDict,
        model: &StateDict,
        step: u64,
        device: &B::Device,
    ) -> Result<(), String> {
        self.step = step;
        self.buffers.clear();
        for (key, HostTensor { shape, data }) in state {
            let (name, index) = key
                .rsplit_once('#')
                .ok_or_else(|| format!("{key} is no optimiser buffer"))?;
            let parameter = model
                .get(name)
                .ok_or_else(|| format!("{key} belongs to no parameter"))?;
            let [rows, columns] = shape[..] else {
                return Err(format!("{key} has shape {shape:?}; an optimiser buffer has two axes"));
            };
            if rows * columns != data.len() || data.len() != parameter.data.len() {
                return Err(format!(
                    "{key} has shape {shape:?}, its parameter {:?}",
                    parameter.shape
                ));
            }
            let buffers = self.buffers.entry(name.to_owned()).or_default();
            if index != buffers.len().to_string() {
                return Err(format!("{key}: buffer {} is missing", buffers.len()));
            }
            buffers.push(Tensor::from_data(
                TensorData::new(data.clone(), [rows, columns]),
                device,
            ));
        }
        Ok(())
    }
}

struct Mapper<'a, B: Backend> {
    optimizer: &'a mut Optimizer<B>,
    gradients: GradientsParams,
    rates: LearningRates,
    path: PathStack,
}

impl<A: AutodiffBackend<InnerBackend: OptimOps>> ModuleMapper<A> for Mapper<'_, A::InnerBackend> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<A, D>>) -> Param<Tensor<A, D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = self.gradients.remove::<A::InnerBackend, D>(id) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let is_vector = D == 1;
        let name = self.path.name();
        let value = tensor.inner();
        let dims = value.dims();
        let rows = if is_vector { 1 } else { dims[0] };
        let matrix = [rows as i64, -1];
        let update = Update {
            value: value.reshape(matrix),
            gradient: gradient.reshape(matrix),
            buffers: self.optimizer.buffers.remove(&name).unwrap_or_default(),
            is_vector,
            learning_rate: if is_vector {
                self.rates.biases
            } else {
                self.rates.weights
            },
            step: self.optimizer.step,
        };
        let (value, buffers) = match &self.optimizer.rule {
            Rule::Lars(lars) => OptimOps::lars(lars, update),
            Rule::AdamW(adamw) => OptimOps::adamw(adamw, update),
            Rule::Sgd(sgd) => OptimOps::sgd(sgd, update),
        };
        self.optimizer.buffers.insert(name, buffers);
        let tensor = Tensor::from_inner(value.reshape(dims)).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}
