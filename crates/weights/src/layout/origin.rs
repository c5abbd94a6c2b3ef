//! The programs whose names are known.

use std::fmt;

/// The program that gave a file its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Bare names of a ResNet, as torchvision, timm and the official `resnet50.pth` of Barlow Twins have them.
    Torchvision,
    /// A ResNet of timm with a deep stem.
    Timm,
    /// The official `checkpoint.pth` of Barlow Twins.
    BarlowTwins,
    /// A checkpoint of this project.
    OwnCheckpoint,
    /// A whole model as this project exports it.
    OwnModel,
    /// solo-learn.
    SoloLearn,
    /// lightly, with named layers.
    Lightly,
    /// lightly's examples: the backbone as an `nn.Sequential` of a ResNet's children.
    LightlySequential,
    /// mmpretrain, or mmselfsup.
    MmPretrain,
    /// VISSL.
    Vissl,
    /// MoCo, any version.
    Moco,
    /// DINO.
    Dino,
    /// Bare names of a vision transformer, as timm has them, and DINO's released backbones.
    TimmVit,
    /// A vision transformer of torchvision.
    TorchvisionVit,
    /// A backbone under a prefix that several programs use.
    Prefixed,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Torchvision => "a ResNet with torchvision's names (torchvision, timm, or the official resnet50.pth)",
            Self::Timm => "a ResNet of timm with a deep stem",
            Self::BarlowTwins => "a checkpoint of the official Barlow Twins code",
            Self::OwnCheckpoint => "a checkpoint of this program",
            Self::OwnModel => "a model of this program",
            Self::SoloLearn => "a checkpoint of solo-learn",
            Self::Lightly => "a checkpoint of lightly",
            Self::LightlySequential => "a checkpoint of lightly's examples (numbered layers)",
            Self::MmPretrain => "a checkpoint of mmpretrain",
            Self::Vissl => "a checkpoint of VISSL",
            Self::Moco => "a checkpoint of MoCo",
            Self::Dino => "a checkpoint of DINO",
            Self::TimmVit => "a vision transformer with timm's names",
            Self::TorchvisionVit => "a vision transformer of torchvision",
            Self::Prefixed => "a backbone under a prefix",
        })
    }
}
