//! A second network that follows the trained one by an exponential moving average of its parameters.

use super::TrainBackbone;
use super::rows::{apart, together};
use crate::backend::TrainBackend;
use crate::method::{EmaTiming, TeacherSpec};
use crate::ranks::Ranks;
use barlow_model::{Model, NormMode, ParamKind, PathStack, StateDict, StateError, load_state_dict, state_dict};
use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use std::collections::BTreeMap;

/// The parts that a teacher follows: all but the predictor, which it does not have.
const FOLLOWED: [&str; 3] = ["backbone.", "projector.", "prototypes."];

/// A teacher with its own batch statistics. It starts as a copy of the trained network; only parameters are averaged, never
/// running statistics, as in the official code of MoCo, BYOL and DINO.
pub struct Teacher<B: TrainBackend, M: TrainBackbone<B>> {
    /// Absent only while it is updated.
    model: Option<Model<B::InnerBackend, M::InnerModule>>,
    spec: TeacherSpec,
}

impl<B: TrainBackend, M: TrainBackbone<B>> Teacher<B, M> {
    /// A copy of the trained network as it is now. The predictor comes along and is not used.
    pub fn new(spec: TeacherSpec, online: &Model<B, M>) -> Self {
        Self {
            model: Some(online.valid()),
            spec,
        }
    }

    /// Whether it is the network that is evaluated.
    pub fn is_evaluated(&self) -> bool {
        self.spec.evaluated
    }

    /// The network.
    pub fn model(&self) -> &Model<B::InnerBackend, M::InnerModule> {
        self.model.as_ref().expect("present between two updates")
    }

    /// Embeddings of each view of one pass; updates the teacher's own running statistics.
    pub(super) fn forward(
        &self,
        images: Vec<Tensor<B::InnerBackend, 4>>,
        ranks: &Ranks,
    ) -> Vec<Tensor<B::InnerBackend, 2>> {
        let count = images.len();
        let mode = ranks.norm_mode(NormMode::Train);
        let output = self.model().forward(together(images), mode);
        apart(output.embeddings, count)
    }

    /// Embeddings of each view that is in one of its passes.
    pub(super) fn embeddings(
        &self,
        views: &[Tensor<B, 4>],
        passes: &[Vec<usize>],
        ranks: &Ranks,
    ) -> Vec<Option<Tensor<B::InnerBackend, 2>>> {
        let mut embeddings = vec![None; views.len()];
        for pass in passes {
            let images = pass.iter().map(|&view| views[view].clone().inner());
            for (&view, z) in pass.iter().zip(self.forward(images.collect(), ranks)) {
                embeddings[view] = Some(z);
            }
        }
        embeddings
    }

    /// Follows the trained network if this is the time in the step for it; `progress` of the run is done, in [0, 1].
    pub fn update(&mut self, timing: EmaTiming, online: &Model<B, M>, progress: f64) {
        if timing != self.spec.update {
            return;
        }
        let mut reader = Reader {
            path: PathStack::default(),
            values: BTreeMap::new(),
        };
        online.valid().visit(&mut reader);
        let model = self.model.take().expect("present between two updates");
        self.model = Some(model.map(&mut Average {
            path: PathStack::default(),
            online: reader.values,
            momentum: self.spec.momentum.at(progress),
        }));
    }

    /// Its parameters and running statistics by name.
    ///
    /// # Errors
    /// As [`state_dict`].
    pub fn state(&self) -> Result<StateDict, StateError> {
        state_dict(self.model())
    }

    /// Restores what [`Teacher::state`] gave.
    ///
    /// # Errors
    /// As [`load_state_dict`].
    pub fn load_state(&mut self, state: &StateDict) -> Result<(), StateError> {
        let model = self.model.take().expect("present between two updates");
        self.model = Some(load_state_dict(model, state)?);
        Ok(())
    }
}

fn is_followed(name: &str, kind: ParamKind) -> bool {
    kind != ParamKind::RunningStatistic && FOLLOWED.iter().any(|part| name.starts_with(part))
}

/// The online network's parameters by name, each as one row.
struct Reader<B: Backend> {
    path: PathStack,
    values: BTreeMap<String, Tensor<B, 1>>,
}

impl<B: Backend> ModuleVisitor<B> for Reader<B> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let name = self.path.name();
        if is_followed(&name, self.path.kind()) {
            self.values.insert(name, param.val().reshape([-1]));
        }
    }
}

/// t ← t + (1 − τ)(o − t).
struct Average<B: Backend> {
    path: PathStack,
    online: BTreeMap<String, Tensor<B, 1>>,
    momentum: f64,
}

impl<B: Backend> ModuleMapper<B> for Average<B> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let Some(online) = self.online.remove(&self.path.name()) else {
            return param;
        };
        let (id, own, mapper) = param.consume();
        let online = online.reshape(own.dims());
        let moved = own.clone() + (online - own) * (1.0 - self.momentum);
        Param::from_mapped_value(id, moved, mapper)
    }
}
