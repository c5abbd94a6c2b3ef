//! Running statistic: a vector that a forward pass updates through a shared reference.
//!
//! Burn's `RunningState` lags one update behind until it is synchronised, and its clones share one value, so a saved copy of a
//! model changes with the original. This type has neither problem.

use crate::kind::ParamKind;
use burn::module::{
    AutodiffModule, Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
    ParamId,
};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

const MARKER: &str = ParamKind::RunningStatistic.marker();

/// A vector `[C]` outside the autodiff graph, updated by [`RunningStatistic::set`]; readers always see the newest value.
///
/// In every module its kind is [`ParamKind::RunningStatistic`] and its exported name is that of the field.
#[derive(Debug)]
pub struct RunningStatistic<B: Backend> {
    id: ParamId,
    value: Mutex<Tensor<B, 1>>,
}

impl<B: Backend> RunningStatistic<B> {
    /// A statistic with the initial value `value`, `[C]`.
    pub fn new(value: Tensor<B, 1>) -> Self {
        Self::with_id(ParamId::new(), value)
    }

    /// The newest value, `[C]`.
    pub fn value(&self) -> Tensor<B, 1> {
        self.lock().clone()
    }

    /// Replaces the value; the new one is detached from the autodiff graph.
    pub fn set(&self, value: Tensor<B, 1>) {
        *self.lock() = value.detach();
    }

    fn with_id(id: ParamId, value: Tensor<B, 1>) -> Self {
        Self {
            id,
            value: Mutex::new(value),
        }
    }

    /// A poisoned lock is not an error: a thread that panicked while holding the lock cannot have left a partially written
    /// tensor.
    fn lock(&self) -> MutexGuard<'_, Tensor<B, 1>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn as_param(&self) -> Param<Tensor<B, 1>> {
        Param::initialized(self.id, self.value())
    }
}

/// A deep copy: the clone does not change with the original.
impl<B: Backend> Clone for RunningStatistic<B> {
    fn clone(&self) -> Self {
        Self::with_id(self.id, self.value())
    }
}

impl<B: Backend> Module<B> for RunningStatistic<B> {
    type Record = Param<Tensor<B, 1>>;

    fn visit<V: ModuleVisitor<B>>(&self, visitor: &mut V) {
        visitor.enter_module("", MARKER);
        visitor.visit_float(&self.as_param());
        visitor.exit_module("", MARKER);
    }

    fn map<M: ModuleMapper<B>>(self, mapper: &mut M) -> Self {
        mapper.enter_module("", MARKER);
        let param = mapper.map_float(self.as_param());
        mapper.exit_module("", MARKER);
        Self::with_id(param.id, param.val().detach())
    }

    fn into_record(self) -> Self::Record {
        self.as_param()
    }

    fn load_record(self, record: Self::Record) -> Self {
        Self::with_id(record.id, record.val().to_device(&self.value().device()))
    }

    fn to_device(self, device: &B::Device) -> Self {
        Self::with_id(self.id, self.value().to_device(device))
    }

    fn fork(self, device: &B::Device) -> Self {
        self.to_device(device)
    }

    fn collect_devices(&self, mut devices: Devices<B>) -> Devices<B> {
        let device = self.value().device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }
}

impl<B: AutodiffBackend> AutodiffModule<B> for RunningStatistic<B> {
    type InnerModule = RunningStatistic<B::InnerBackend>;

    fn valid(&self) -> Self::InnerModule {
        RunningStatistic::with_id(self.id, self.value().inner())
    }

    fn from_inner(module: Self::InnerModule) -> Self {
        Self::with_id(module.id, Tensor::from_inner(module.value()))
    }
}

impl<B: Backend> fmt::Display for RunningStatistic<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunningStatistic {:?}", self.value().dims())
    }
}

impl<B: Backend> ModuleDisplayDefault for RunningStatistic<B> {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&self.to_string()).optional()
    }
}

impl<B: Backend> ModuleDisplay for RunningStatistic<B> {}
