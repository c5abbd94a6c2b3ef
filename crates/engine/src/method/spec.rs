//! The parts of a method, as data: printed by `--dry-run`, checked against memory, stored in checkpoints.

use crate::optim::ParamRule;
use barlow_augment::ViewGroup;
use barlow_model::HeadsConfig;
use serde::Serialize;
use serde_json::{Value, json};

/// The parts of a method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodSpec {
    /// Its name in configs, such as `barlow-twins`.
    pub kind: String,
    /// Groups of views of each image; the views of a batch are those of the groups in order.
    pub views: Vec<ViewGroup>,
    /// Views that the method computes from the others of a batch, on the host; their groups come after those of `views`.
    pub derived: Vec<DerivedView>,
    /// The view groups that the trained network sees, by their numbers; `None` for all of them.
    pub online: Option<Vec<usize>>,
    /// Which views share a forward pass.
    pub passes: Passes,
    /// A second network that follows the trained one.
    pub teacher: Option<TeacherSpec>,
    /// The heads after the backbone.
    pub heads: HeadsConfig,
    /// Exceptions from what the optimiser does with each kind of parameter.
    pub rules: Vec<ParamRule>,
    /// Whether the loss needs labels, whose number of classes is the width of the embeddings.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uses_labels: bool,
    /// Scores of each image that are on the host at once, in 64 bits, when the method sees the whole training set
    /// ([`wants_whole_set`](super::Method::wants_whole_set)); `None` if it never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_set_scores: Option<usize>,
}

/// A view that a method computes from the others of a batch, such as a mixture of images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DerivedView {
    /// Its name in the plan.
    pub name: String,
    /// The view group whose size it has.
    pub like: usize,
}

/// Which views share a forward pass, and so batch statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passes {
    /// One forward pass per view.
    PerView,
    /// One forward pass for all views of a size.
    PerSize,
    /// One forward pass of the backbone for all views of a size, and one of the projector for all views (SwAV, DINO).
    PerSizeOneHead,
}

/// A second network whose weights are a moving average of the trained one's (backbone, projector and prototypes, parameters only;
/// its batch norms have their own statistics).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TeacherSpec {
    /// The momentum τ of an update.
    pub momentum: Momentum,
    /// When in a step it is updated.
    pub update: EmaTiming,
    /// The view groups that it sees, by their numbers in the spec.
    pub sees: Vec<usize>,
    /// Whether the teacher is the network that is evaluated and exported (DINO).
    pub evaluated: bool,
}

/// τ of `teacher ← τ · teacher + (1 − τ) · online`: `end − (end − start) (1 + cos(π k / K)) / 2` at step k of K; constant where
/// both are equal. In [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Momentum {
    /// At the first step.
    pub start: f64,
    /// At the end of the run.
    pub end: f64,
}

impl Momentum {
    /// τ at `progress`, the fraction of the run that is done, in [0, 1].
    pub fn at(&self, progress: f64) -> f64 {
        let cosine = (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
        self.end - (self.end - self.start) * cosine
    }
}

/// When in a step a teacher is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmaTiming {
    /// Before its forward pass, towards the weights before this step (MoCo).
    BeforeForward,
    /// After the optimiser's step (BYOL, DINO).
    AfterStep,
}

impl MethodSpec {
    /// A method of the config's views, one forward pass per view, without a teacher or rules.
    pub fn plain(kind: &str, views: Vec<ViewGroup>, heads: HeadsConfig) -> Self {
        Self {
            kind: kind.to_owned(),
            views,
            derived: Vec::new(),
            online: None,
            passes: Passes::PerView,
            teacher: None,
            heads,
            rules: Vec::new(),
            uses_labels: false,
            whole_set_scores: None,
        }
    }

    /// The view group of each view of a batch.
    pub fn groups_of_views(&self) -> Vec<usize> {
        let groups = self.views.iter().enumerate();
        let derived = self.views.len()..self.views.len() + self.derived.len();
        groups
            .flat_map(|(number, group)| std::iter::repeat_n(number, group.count))
            .chain(derived)
            .collect()
    }

    /// The side in pixels of each view of a batch.
    pub fn sizes_of_views(&self) -> Vec<usize> {
        let sizes = |group: &ViewGroup| std::iter::repeat_n(group.size, group.count);
        let derived = self.derived.iter().map(|view| self.views[view.like].size);
        self.views.iter().flat_map(sizes).chain(derived).collect()
    }

    /// The numbers of the views that the trained network sees, ascending.
    pub fn online_views(&self) -> Vec<usize> {
        let sees = |group: &usize| self.online.as_ref().is_none_or(|groups| groups.contains(group));
        let groups = self.groups_of_views().into_iter().enumerate();
        groups.filter(|(_, group)| sees(group)).map(|(view, _)| view).collect()
    }

    /// The forward passes of the trained network, each a list of the numbers of its views.
    pub fn passes_of_views(&self) -> Vec<Vec<usize>> {
        self.passes_of(self.online_views())
    }

    /// The forward passes of the trained network, in lists of those that share one pass of the projector.
    pub fn passes_by_head(&self) -> Vec<Vec<Vec<usize>>> {
        let passes = self.passes_of_views();
        match self.passes {
            Passes::PerView | Passes::PerSize => passes.into_iter().map(|pass| vec![pass]).collect(),
            Passes::PerSizeOneHead => vec![passes],
        }
    }

    /// The forward passes of the teacher, each a list of the numbers of its views; none without a teacher.
    pub fn passes_of_teacher(&self) -> Vec<Vec<usize>> {
        let Some(teacher) = &self.teacher else {
            return Vec::new();
        };
        let groups = self.groups_of_views().into_iter().enumerate();
        let seen = groups.filter(|(_, group)| teacher.sees.contains(group));
        self.passes_of(seen.map(|(view, _)| view).collect())
    }

    fn passes_of(&self, views: Vec<usize>) -> Vec<Vec<usize>> {
        let sizes = self.sizes_of_views();
        match self.passes {
            Passes::PerView => views.into_iter().map(|view| vec![view]).collect(),
            Passes::PerSize | Passes::PerSizeOneHead => {
                let mut passes: Vec<Vec<usize>> = Vec::new();
                for view in views {
                    match passes.iter_mut().find(|pass| sizes[pass[0]] == sizes[view]) {
                        Some(pass) => pass.push(view),
                        None => passes.push(vec![view]),
                    }
                }
                passes
            }
        }
    }

    /// The part of the spec that a resumed run must share with its checkpoint: all but how views are drawn, which the config may
    /// change.
    pub fn identity(&self) -> Value {
        let views: Vec<Value> = self
            .views
            .iter()
            .map(|group| json!({ "name": group.name, "count": group.count }))
            .collect();
        let mut identity = json!({
            "kind": self.kind,
            "views": views,
            "passes": self.passes,
            "teacher": self.teacher,
            "heads": self.heads,
            "rules": self.rules,
        });
        // Older checkpoints have no such keys.
        if !self.derived.is_empty() {
            identity["derived"] = json!(self.derived);
        }
        if let Some(groups) = &self.online {
            identity["online"] = json!(groups);
        }
        identity
    }

    /// A short description of the parts, for the plan.
    pub fn describe(&self) -> String {
        let view = |group: &ViewGroup| match group.count {
            1 => format!("{} {} px", group.name, group.size),
            count => format!("{} {count} x {} px", group.name, group.size),
        };
        let mut parts = vec![
            format!("views {}", self.views.iter().map(view).collect::<Vec<_>>().join(", ")),
            match self.passes {
                Passes::PerView => "one forward pass per view".to_owned(),
                Passes::PerSize => "one forward pass per view size".to_owned(),
                Passes::PerSizeOneHead => "one forward pass per view size, one of the projector".to_owned(),
            },
        ];
        parts.extend(self.derived.iter().map(|view| format!("derived view {}", view.name)));
        if let Some(groups) = &self.online {
            let derived = self.derived.iter().map(|view| view.name.as_str());
            let all: Vec<&str> = self
                .views
                .iter()
                .map(|group| group.name.as_str())
                .chain(derived)
                .collect();
            let names: Vec<&str> = groups.iter().map(|&group| all[group]).collect();
            parts.push(format!("the network sees {}", names.join(", ")));
        }
        if let Some(teacher) = &self.teacher {
            parts.push(format!(
                "teacher with momentum {} to {}",
                teacher.momentum.start, teacher.momentum.end
            ));
        }
        if self.heads.predictor.is_some() {
            parts.push("predictor".to_owned());
        }
        parts.extend(
            self.heads
                .prototypes
                .iter()
                .map(|prototypes| format!("{} prototypes", prototypes.count)),
        );
        if !self.rules.is_empty() {
            parts.push(format!("{} rules for parameters", self.rules.len()));
        }
        format!("{}: {}", self.kind, parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::ViewConfig;
    use barlow_model::ProjectorConfig;

    fn spec(passes: Passes) -> MethodSpec {
        let group = |name: &str, count, size| ViewGroup {
            name: name.into(),
            count,
            size,
            view: ViewConfig::default(),
        };
        MethodSpec {
            kind: "test".into(),
            views: vec![group("a", 1, 32), group("small", 2, 16), group("b", 1, 32)],
            derived: Vec::new(),
            online: None,
            passes,
            teacher: None,
            heads: HeadsConfig {
                projector: ProjectorConfig { widths: vec![8, 4] }.mlp(true),
                predictor: None,
                prototypes: Vec::new(),
            },
            rules: Vec::new(),
            uses_labels: false,
            whole_set_scores: None,
        }
    }

    #[test]
    fn passes_gather_views_of_a_size() {
        assert_eq!(spec(Passes::PerView).passes_of_views(), [[0], [1], [2], [3]]);
        assert_eq!(spec(Passes::PerSize).passes_of_views(), [vec![0, 3], vec![1, 2]]);
        assert_eq!(spec(Passes::PerSize).groups_of_views(), [0, 1, 1, 2]);
        assert_eq!(spec(Passes::PerSize).passes_by_head(), [[vec![0, 3]], [vec![1, 2]]]);
        let mut one_head = spec(Passes::PerSizeOneHead);
        assert_eq!(one_head.passes_by_head(), [[vec![0, 3], vec![1, 2]]]);
        assert!(one_head.passes_of_teacher().is_empty());
        one_head.teacher = Some(TeacherSpec {
            momentum: Momentum { start: 0.9, end: 1.0 },
            update: EmaTiming::AfterStep,
            sees: vec![0, 2],
            evaluated: false,
        });
        assert_eq!(one_head.passes_of_teacher(), [[0, 3]]);
    }

    #[test]
    fn a_view_of_the_teacher_alone_is_in_no_pass() {
        let mut spec = spec(Passes::PerSize);
        let all = spec.identity();
        spec.online = Some(vec![0, 1]);
        assert_eq!(spec.online_views(), [0, 1, 2]);
        assert_eq!(spec.passes_of_views(), [vec![0], vec![1, 2]]);
        assert_ne!(spec.identity(), all);
        assert!(
            spec.describe().contains("the network sees a, small"),
            "{}",
            spec.describe()
        );
    }

    #[test]
    fn how_views_are_drawn_is_no_part_of_the_identity() {
        let (one, mut other) = (spec(Passes::PerView), spec(Passes::PerView));
        other.views[0].view.flip = 0.0;
        other.views[1].size = 8;
        assert_eq!(one.identity(), other.identity());
        other.views[1].count = 3;
        assert_ne!(one.identity(), other.identity());
        assert!(one.describe().contains("small 2 x 16 px"), "{}", one.describe());
    }

    #[test]
    fn a_momentum_moves_by_a_cosine() {
        let byol = Momentum { start: 0.99, end: 1.0 };
        assert_eq!([byol.at(0.0), byol.at(1.0)], [0.99, 1.0]);
        assert!((byol.at(0.5) - 0.995).abs() < 1e-12);
        let moco = Momentum {
            start: 0.999,
            end: 0.999,
        };
        assert_eq!([0.0, 0.3, 1.0].map(|progress| moco.at(progress)), [0.999; 3]);
    }
}
