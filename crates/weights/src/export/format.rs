//! The formats of exports, and their names on a command line.

use std::fmt;
use std::str::FromStr;

/// A format of exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A `.safetensors` file with torchvision's or timm's names.
    Safetensors,
    /// A `.pth` file of the same tensors, a state dict of torch.
    Pth,
    /// A folder that `timm.create_model("local-dir:FOLDER", pretrained=True)` loads: config, weights, model card.
    Timm,
    /// A `.pkl` file for detectron2's `MODEL.WEIGHTS`.
    Detectron2,
    /// An ONNX graph, opset 17, with any number of images.
    Onnx,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Safetensors, Self::Pth, Self::Timm, Self::Detectron2, Self::Onnx];

    /// Name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Pth => "pth",
            Self::Timm => "timm",
            Self::Detectron2 => "detectron2",
            Self::Onnx => "onnx",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("'{text}' is not a format of exports; use one of {names}")
        })
    }
}
