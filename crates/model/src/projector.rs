//! Text format of a projector: the widths of its layers, such as "8192-8192-8192".

use crate::mlp::{Activation, HeadNorm, LayerConfig, MlpConfig};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Widths of a projector's layers, written and serialised as "512-512-512".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectorConfig {
    /// The width of each layer (≥ 1), at least one; the last is D, the width of the embeddings.
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

    /// The layers. Hidden layers have no bias, a batch norm if `norm` is set, and a ReLU. The last layer is only a linear map,
    /// because the loss normalises the embeddings. With `norm` this is the projector of the Barlow Twins paper.
    pub fn mlp(&self, norm: bool) -> MlpConfig {
        let last = self.widths.len().saturating_sub(1);
        let hidden_norm = if norm { HeadNorm::Affine } else { HeadNorm::None };
        let layers = self.widths.iter().enumerate().map(|(index, &width)| LayerConfig {
            width,
            bias: false,
            norm: if index < last { hidden_norm } else { HeadNorm::None },
            activation: if index < last {
                Activation::Relu
            } else {
                Activation::None
            },
        });
        MlpConfig {
            layers: layers.collect(),
        }
    }
}

impl Serialize for ProjectorConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

/// Error of parsing a projector.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProjectorError {
    /// There is no layer.
    #[error("the projector has no layer; give the widths of its layers joined by '-', such as 512-512-512")]
    Empty,
    /// A width that is not a whole number.
    #[error("'{part}' in the projector '{text}' is not a width; give whole numbers joined by '-', such as 512-512-512")]
    NotANumber {
        /// The text between two dashes.
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
    fn the_layers_are_the_paper_s() {
        let layer = |width, norm, activation| LayerConfig {
            width,
            bias: false,
            norm,
            activation,
        };
        let config: ProjectorConfig = "12-8".parse().unwrap();
        for (norm, hidden) in [(true, HeadNorm::Affine), (false, HeadNorm::None)] {
            let expected = [
                layer(12, hidden, Activation::Relu),
                layer(8, HeadNorm::None, Activation::None),
            ];
            assert_eq!(config.mlp(norm).layers, expected);
        }
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
