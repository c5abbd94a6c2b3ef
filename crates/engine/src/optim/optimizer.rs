//! An update rule with its state, applied to a module.

use super::{LearningRates, OptimOps, ParamRule, RateRule, Rule, StepRates, Treatment, Update, treatment};
use barlow_model::{HostTensor, ParamKind, PathStack, StateDict};
use burn::module::{AutodiffModule, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use std::collections::BTreeMap;
use thiserror::Error;

/// Takes a parameter's exported name, kind and gradient (a matrix of its first axis by the rest) and gives the gradient to apply;
/// `None` leaves the parameter and its momentum as they are.
pub type GradientHook<'a, B> = dyn FnMut(&str, ParamKind, Tensor<B, 2>) -> Option<Tensor<B, 2>> + 'a;

/// A stored optimiser state that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptimizerStateError {
    /// A key without `#<buffer>`.
    #[error("{0} is not an optimiser buffer")]
    Key(String),
    /// No parameter has this name.
    #[error("{0} belongs to no parameter")]
    Parameter(String),
    /// Not a matrix, or of another size than the parameter.
    #[error("{key} has shape {shape:?}, its parameter {parameter:?}")]
    Shape {
        /// The buffer.
        key: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The parameter's.
        parameter: Vec<usize>,
    },
    /// Another rule's state.
    #[error(
        "{parameter} has {found} optimiser buffers, and {rule} has {expected}; was it stored by another optimizer.kind?"
    )]
    Buffers {
        /// The parameter.
        parameter: String,
        /// The rule.
        rule: &'static str,
        /// Buffers in the state.
        found: usize,
        /// Buffers of the rule.
        expected: usize,
    },
    /// A parameter that was updated has no buffers.
    #[error("{parameter} has no optimiser buffers after {step} steps; the state is incomplete")]
    Missing {
        /// The parameter.
        parameter: String,
        /// Steps made.
        step: u64,
    },
}

/// An update rule with its buffers.
#[derive(Clone, Debug)]
pub struct Optimizer<B: Backend> {
    rule: Rule,
    exceptions: Vec<ParamRule>,
    step: u64,
    buffers: BTreeMap<String, Vec<Tensor<B, 2>>>,
}

impl<B: OptimOps> Optimizer<B> {
    /// An optimiser that has made no step.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            exceptions: Vec::new(),
            step: 0,
            buffers: BTreeMap::new(),
        }
    }

    /// The same with a method's exceptions from the defaults of each kind of parameter.
    pub fn with_rules(self, exceptions: Vec<ParamRule>) -> Self {
        Self { exceptions, ..self }
    }

    /// Sets the weight decay of the updates to come.
    pub fn set_weight_decay(&mut self, weight_decay: f64) {
        self.rule = self.rule.with_weight_decay(weight_decay);
    }

    /// Applies one update to every parameter that has a gradient.
    pub fn step<A, M>(&mut self, model: M, gradients: GradientsParams, rates: impl Into<StepRates>) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: AutodiffModule<A>,
    {
        self.step_with(model, gradients, rates, &mut |_, _, gradient| Some(gradient))
    }

    /// As [`Optimizer::step`], with every gradient going through `hook` first.
    pub fn step_with<A, M>(
        &mut self,
        model: M,
        gradients: GradientsParams,
        rates: impl Into<StepRates>,
        hook: &mut GradientHook<'_, B>,
    ) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: AutodiffModule<A>,
    {
        let model = model.map(&mut Mapper {
            optimizer: self,
            gradients,
            rates: rates.into(),
            hook,
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

    /// Restores what [`Optimizer::state`] gave, `step` updates into the run; `model` has the parameters' values.
    ///
    /// # Errors
    /// [`OptimizerStateError`] if an entry does not belong to a parameter, or was stored by another rule.
    pub fn load_state(
        &mut self,
        state: &StateDict,
        model: &StateDict,
        step: u64,
        device: &B::Device,
    ) -> Result<(), OptimizerStateError> {
        let mut restored: BTreeMap<String, Vec<Tensor<B, 2>>> = BTreeMap::new();
        for (key, HostTensor { shape, data }) in state {
            let (name, index) = key
                .rsplit_once('#')
                .ok_or_else(|| OptimizerStateError::Key(key.clone()))?;
            let parameter = model
                .get(name)
                .ok_or_else(|| OptimizerStateError::Parameter(key.clone()))?;
            let wrong_shape = || OptimizerStateError::Shape {
                key: key.clone(),
                shape: shape.clone(),
                parameter: parameter.shape.clone(),
            };
            let [rows, columns] = shape[..] else {
                return Err(wrong_shape());
            };
            if rows * columns != data.len() || data.len() != parameter.data.len() {
                return Err(wrong_shape());
            }
            let buffers = restored.entry(name.to_owned()).or_default();
            if index != buffers.len().to_string() {
                return Err(OptimizerStateError::Key(key.clone()));
            }
            let data = TensorData::new(data.clone(), [rows, columns]);
            buffers.push(Tensor::from_data(data, device));
        }
        for (parameter, buffers) in &restored {
            if buffers.len() != self.rule.buffers() {
                return Err(OptimizerStateError::Buffers {
                    parameter: parameter.clone(),
                    rule: self.rule.name(),
                    found: buffers.len(),
                    expected: self.rule.buffers(),
                });
            }
        }
        self.step = step;
        self.buffers = restored;
        Ok(())
    }

    /// Checks that a restored state holds buffers for every one of `parameters` that has been updated so far.
    ///
    /// # Errors
    /// [`OptimizerStateError::Missing`] with the first parameter that has none.
    pub fn check_complete<'a>(
        &self,
        parameters: impl IntoIterator<Item = (&'a str, ParamKind)>,
    ) -> Result<(), OptimizerStateError> {
        for (name, kind) in parameters {
            let is_updated = self.step > treatment(name, kind, &self.exceptions).frozen_until;
            if kind.is_trained() && is_updated && !self.buffers.contains_key(name) {
                return Err(OptimizerStateError::Missing {
                    parameter: name.to_owned(),
                    step: self.step,
                });
            }
        }
        Ok(())
    }
}

struct Mapper<'a, 'hook, B: Backend> {
    optimizer: &'a mut Optimizer<B>,
    gradients: GradientsParams,
    rates: StepRates,
    hook: &'a mut GradientHook<'hook, B>,
    path: PathStack,
}

impl<A: AutodiffBackend<InnerBackend: OptimOps>> ModuleMapper<A> for Mapper<'_, '_, A::InnerBackend> {
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
        let (name, kind) = (self.path.name(), self.path.kind());
        let treatment = treatment(&name, kind, &self.optimizer.exceptions);
        if self.optimizer.step < treatment.frozen_until {
            return Param::from_mapped_value(id, tensor, mapper);
        }
        let dims = tensor.dims();
        // A vector is one row: a matrix of single values would be slower to sum.
        let rows = if D == 1 { 1 } else { dims[0] };
        let matrix = [rows as i64, -1];
        let Some(gradient) = (self.hook)(&name, kind, gradient.reshape(matrix)) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let value = tensor.inner();
        let update = Update {
            value: value.reshape(matrix),
            gradient,
            buffers: self.optimizer.buffers.remove(&name).unwrap_or_default(),
            decays: treatment.decays,
            adapts: treatment.adapts,
            learning_rate: rate(&treatment, &self.rates),
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

fn rate(treatment: &Treatment, rates: &StepRates) -> f64 {
    let LearningRates { weights, biases } = match treatment.rate {
        RateRule::Scheduled => rates.now,
        RateRule::Constant => rates.peak,
    };
    treatment.factor * if treatment.takes_bias_rate { biases } else { weights }
}
