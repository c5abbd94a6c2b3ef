//! The projector: representations to the embeddings that the loss compares.
//!
//! The official one is Linear–BN–ReLU, Linear–BN–ReLU, Linear, none with a bias; here any depth and widths. It has no
//! norm after the last layer: the loss normalises the embeddings itself. Knows nothing of backbones.

use crate::layers::{Linear, LinearConfig};
use crate::norm::{BatchNorm, BatchNormConfig, NormMode};
use crate::ops::NormOps;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Widths of the projector's layers, written "512-512-512".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectorConfig {
    /// One width a layer, none of them 0, at least one; the last is D, the width of the embeddings.
    pub widths: Vec<usize>,
}

impl ProjectorConfig {
    /// Width D of the embeddings.
    ///
    /// # Panics
    /// If there is no layer.
    pub fn embedding_width(&self) -> usize {
        *self.widths.last().expect("a projector has at least one layer")
    }

    /// The projector with its weights at zero: follow with [`crate::initialize`] or [`crate::load_state_dict`].
    ///
    /// `in_features` is the width of the representations; `norm` puts batch norm between the layers, as the paper has
    /// it.
    ///
    /// # Panics
    /// If there is no layer, or one of width 0.
    pub fn init<B: Backend>(&self, in_features: usize, norm: bool, device: &B::Device) -> Projector<B> {
        let widths = &self.widths;
        assert!(
            !widths.is_empty() && !widths.contains(&0),
            "a projector needs layers wider than 0, got {widths:?}"
        );
        let inputs = std::iter::once(&in_features).chain(widths);
        let layers = inputs
            .zip(widths)
            .enumerate()
            .map(|(index, (&from, &to))| ProjectorLayer {
                linear: LinearConfig::new(from, to).init(device),
                norm: (norm && index + 1 < widths.len()).then(|| BatchNormConfig::new(to).init(device)),
            });
        Projector {
            layers: layers.collect(),
        }
    }
}

/// The official projector: 8192-8192-8192.
impl Default for ProjectorConfig {
    fn default() -> Self {
        Self { widths: vec![8192; 3] }
    }
}

impl FromStr for ProjectorConfig {
    type Err = ProjectorError;

    fn from_str(text: &str) -> Result<Self, ProjectorError> {
        if text.trim().is_empty() {
            return Err(ProjectorError::Empty);
        }
        let width = |part: &str| match part.trim().parse() {
            Ok(0) => Err(ProjectorError::Zero { text: text.to_owned() }),
            Ok(width) => Ok(width),
            Err(_) => Err(ProjectorError::NotANumber {
                part: part.to_owned(),
                text: text.to_owned(),
            }),
        };
        Ok(Self {
            widths: text.split('-').map(width).collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for ProjectorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-"))
    }
}

/// Why a text names no projector.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProjectorError {
    /// No layer at all.
    #[error("the projector has no layer; give the widths of its layers joined by '-', such as 512-512-512")]
    Empty,
    /// A width that is no whole number.
    #[error("'{part}' in the projector '{text}' is no width; give whole numbers joined by '-', such as 512-512-512")]
    NotANumber {
        /// What stands between two dashes.
        part: String,
        /// The whole text.
        text: String,
    },
    /// A layer of width 0.
    #[error("the projector '{text}' has a layer of width 0; every width must be at least 1")]
    Zero {
        /// The whole text.
        text: String,
    },
}

/// Representations to embeddings.
#[derive(Module, Debug)]
pub struct Projector<B: Backend> {
    layers: Vec<ProjectorLayer<B>>,
}

/// One linear layer with the norm behind it; torch numbers them 3i and 3i + 1 (3i + 2 is the ReLU).
#[derive(Module, Debug)]
pub struct ProjectorLayer<B: Backend> {
    linear: Linear<B>,
    norm: Option<BatchNorm<B>>,
}

impl<B: NormOps> Projector<B> {
    /// Embeddings, not normalised.
    ///
    /// # Shapes
    /// - `x`: [N, F] representations
    /// - returns [N, D]
    pub fn forward(&self, x: Tensor<B, 2>, mode: NormMode) -> Tensor<B, 2> {
        let mut x = x;
        for (index, ProjectorLayer { linear, norm }) in self.layers.iter().enumerate() {
            x = linear.forward(x);
            let is_last = index + 1 == self.layers.len();
            x = match norm {
                Some(norm) if is_last => norm.forward(x, mode),
                Some(norm) => norm.forward_relu(x, mode),
                None if is_last => x,
                None => relu(x),
            };
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_the_widths() {
        let config: ProjectorConfig = "512-256-128".parse().unwrap();
        assert_eq!(config.widths, [512, 256, 128]);
        assert_eq!(config.embedding_width(), 128);
        assert_eq!(config.to_string(), "512-256-128");
        assert_eq!("64".parse::<ProjectorConfig>().unwrap().widths, [64]);
        assert_eq!(ProjectorConfig::default().to_string(), "8192-8192-8192");
    }

    #[test]
    fn a_bad_text_gives_one_line_that_says_what_to_write() {
        for text in [
            "",
            "  ",
            "512-x",
            "512-",
            "-512",
            "512--512",
            "512-0",
            "0",
            "1.5",
            "99999999999999999999",
        ] {
            let error = text.parse::<ProjectorConfig>().unwrap_err();
            let line = error.to_string();
            assert!(!line.contains('\n') && line.len() > 40, "{line}");
        }
        let part = |text: &str| match text.parse::<ProjectorConfig>().unwrap_err() {
            ProjectorError::NotANumber { part, .. } => part,
            other => panic!("{other}"),
        };
        assert_eq!(part("512-x"), "x");
        assert_eq!("  ".parse::<ProjectorConfig>(), Err(ProjectorError::Empty));
        assert_eq!(
            "5-0".parse::<ProjectorConfig>(),
            Err(ProjectorError::Zero { text: "5-0".into() })
        );
    }
}
