//! A checkpoint in host memory: a run at one step.

use super::Progress;
use crate::config::Config;
use barlow_model::StateDict;

/// A run at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The state of the run without its tensors.
    pub progress: Progress,
    /// Weights and running statistics by name.
    pub model: StateDict,
    /// The optimiser's buffers by name.
    pub optimizer: StateDict,
    /// The online probe; empty without one.
    pub probe: StateDict,
    /// The teacher's weights and running statistics; empty without one.
    pub teacher: StateDict,
    /// The method's own state besides its weights; empty for most.
    pub method: StateDict,
}

impl Checkpoint {
    /// The weights of the network that is evaluated: the teacher's where the config's method says so.
    pub fn evaluated(&self, config: &Config) -> &StateDict {
        let spec = config.method_definition().spec(&config.method_inputs(None));
        match &spec.teacher {
            Some(teacher) if teacher.evaluated => &self.teacher,
            _ => &self.model,
        }
    }
}

#[cfg(test)]
pub(super) fn example(step: u64) -> Checkpoint {
    let tensor = barlow_model::HostTensor {
        shape: vec![2, 3],
        data: (0..6).map(|i| i as f32 * 0.1 + step as f32).collect(),
    };
    let images = crate::sources::Images {
        count: 1662,
        fingerprint: "0123".into(),
    };
    Checkpoint {
        progress: Progress {
            step,
            ..Progress::start("[run]\nseed = 3\n".into(), images)
        },
        model: [("backbone.conv1.weight".to_owned(), tensor.clone())].into(),
        optimizer: [("backbone.conv1.weight#0".to_owned(), tensor.clone())].into(),
        probe: [("weight".to_owned(), tensor.clone())].into(),
        teacher: [("backbone.conv1.weight".to_owned(), tensor.clone())].into(),
        method: [("queue".to_owned(), tensor)].into(),
    }
}
