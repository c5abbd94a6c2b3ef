//! The kind of a parameter, which determines its layout in exports, its initial values and its treatment by the optimiser.
//!
//! A kind follows from the type of the struct that holds the parameter and from the field's name, or from a declaration
//! ([`DeclaredParam`](crate::DeclaredParam)), never from the rank and never from the field's name alone. Burn passes the type as
//! the `container_type` of `enter_module`: `Struct:NAME` from its derive. The modules of this crate that declare a kind pass one
//! of the markers below, which no derive produces.

use serde::Serialize;

/// The kind of a parameter. It cannot be derived from the rank: an embedding table and a linear weight are both matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParamKind {
    /// Weight of a convolution: [C_out, C_in / groups, k..] with one to three kernel axes.
    Convolution,
    /// Weight of a linear layer: [in, out] in the module, exported as torch's [out, in]; the only kind that is transposed.
    Linear,
    /// Scale or shift of a normalisation layer.
    Norm,
    /// Bias of a linear layer or a convolution.
    Bias,
    /// Embedding table: [entries, width], here and in exports.
    Embedding,
    /// Learned token or learned position embedding, such as a class token.
    Token,
    /// Running mean or variance of a batch norm: updated by forward passes, never by an optimiser.
    RunningStatistic,
    /// Never trained: has the initial values of its module, such as fixed position embeddings or a frozen projection. The module
    /// detaches it in its forward pass.
    Frozen,
    /// Anything else: retains the initial values and the layout set by its module.
    Other,
}

impl ParamKind {
    const ALL: [Self; 9] = [
        Self::Convolution,
        Self::Linear,
        Self::Norm,
        Self::Bias,
        Self::Embedding,
        Self::Token,
        Self::RunningStatistic,
        Self::Frozen,
        Self::Other,
    ];

    /// Whether an optimiser updates parameters of this kind.
    pub fn is_trained(self) -> bool {
        !matches!(self, Self::RunningStatistic | Self::Frozen)
    }

    /// The `container_type` with which a module declares the kind of the parameter that it wraps.
    pub(crate) const fn marker(self) -> &'static str {
        match self {
            Self::Convolution => "barlow_model::kind:convolution",
            Self::Linear => "barlow_model::kind:linear",
            Self::Norm => "barlow_model::kind:norm",
            Self::Bias => "barlow_model::kind:bias",
            Self::Embedding => "barlow_model::kind:embedding",
            Self::Token => "barlow_model::kind:token",
            Self::RunningStatistic => "barlow_model::kind:running-statistic",
            Self::Frozen => "barlow_model::kind:frozen",
            Self::Other => "barlow_model::kind:other",
        }
    }

    /// The kind that a `container_type` declares.
    pub(crate) fn declared_by(container_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.marker() == container_type)
    }

    /// The kind of the parameter `field` of a container.
    ///
    /// Convolutions, Linear, BatchNorm and the others are those of this crate and of `burn::nn`; their structs have the same
    /// names.
    pub(crate) fn of(container_type: &str, field: &str) -> Self {
        if let Some(declared) = Self::declared_by(container_type) {
            return declared;
        }
        match (container_type.strip_prefix("Struct:").unwrap_or_default(), field) {
            ("Conv1d" | "Conv2d" | "Conv3d", "weight") => Self::Convolution,
            ("Linear" | "Prototypes", "weight") => Self::Linear,
            ("Conv1d" | "Conv2d" | "Conv3d" | "Linear" | "Prototypes", "bias") => Self::Bias,
            ("BatchNorm" | "LayerNorm", "weight" | "bias") => Self::Norm,
            ("BatchNorm", "running_mean" | "running_var") => Self::RunningStatistic,
            ("BatchNorm" | "LayerNorm" | "GroupNorm" | "InstanceNorm" | "RmsNorm", "gamma" | "beta") => Self::Norm,
            ("Embedding", "weight") => Self::Embedding,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_declares_its_kind_alone() {
        for kind in ParamKind::ALL {
            assert_eq!(ParamKind::declared_by(kind.marker()), Some(kind));
            assert_eq!(ParamKind::of(kind.marker(), ""), kind);
        }
        assert_eq!(ParamKind::declared_by("Struct:Token"), None);
    }

    #[test]
    fn the_struct_and_the_field_decide() {
        for (container, field, kind) in [
            ("Struct:Conv2d", "weight", ParamKind::Convolution),
            ("Struct:Conv1d", "bias", ParamKind::Bias),
            ("Struct:Linear", "weight", ParamKind::Linear),
            ("Struct:Linear", "bias", ParamKind::Bias),
            ("Struct:Prototypes", "weight", ParamKind::Linear),
            ("Struct:BatchNorm", "bias", ParamKind::Norm),
            ("Struct:BatchNorm", "running_var", ParamKind::RunningStatistic),
            ("Struct:LayerNorm", "gamma", ParamKind::Norm),
            ("Struct:LayerNorm", "weight", ParamKind::Norm),
            ("Struct:Embedding", "weight", ParamKind::Embedding),
            ("Struct:ConvTranspose2d", "weight", ParamKind::Other),
            ("Struct:MyLayer", "weight", ParamKind::Other),
            ("Enum:Linear", "weight", ParamKind::Other),
            ("Vec", "weight", ParamKind::Other),
        ] {
            assert_eq!(ParamKind::of(container, field), kind, "{container}.{field}");
        }
    }
}
