//! Enums for the forms and variants of the loss: what each value computes, and its name in configuration files.

use serde::{Deserialize, Serialize};

/// How the loss is computed; all forms give the same values up to rounding. Lower case in configuration files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossForm {
    /// The cheapest form for the shape and the device; [`BarlowTwinsLoss::form`](crate::BarlowTwinsLoss::form)
    /// returns which.
    #[default]
    Auto,
    /// Plain tensor operations ([`crate::reference`]), on every backend and for every variant.
    Reference,
    /// C [D, D] by one product, then both sums in one read of it; 6 N D² operations forward and backward.
    Direct,
    /// ‖C‖²_F = ⟨Z_a Z_aᵀ, Z_b Z_bᵀ⟩_F / N² with the standardised views: matrices of [N, N] instead of [D, D], 8 N² D operations.
    ///
    /// Σ_{i≠j} c_ij² is then a difference, ‖C‖²_F − Σ c_ii², whose absolute error is at most about 1e-7 · Σ c_ii² more than
    /// direct's (Σ c_ii² is at most D). It matters only where the off-diagonal sum is small compared with Σ c_ii²: C nearly
    /// diagonal, with fewer live features than N. This requires D < N with this form selected by name, or many dead features
    /// (c_ii = 0), which can also happen with `Auto`: with 60 of 1024 features alive at N = 128, an off-diagonal sum of 0 may
    /// come out as 1e-6.
    Gram,
}

/// The function of C that is minimised. Written as `barlow-twins`, `cross-entropy`, … in configuration files.
///
/// The two terms have the same names for all objectives: `invariance` is the first sum of the formula, `redundancy_reduction` the
/// second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// scale · ( Σ_i (1 − c_ii)² + λ Σ_{i≠j} c_ij² ): the paper's loss, 71.4 % linear top-1 in its table 5 (300 epochs).
    #[default]
    BarlowTwins,
    /// scale · Σ_i (1 − c_ii)²: the invariance term alone (57.3 %).
    Invariance,
    /// scale · λ Σ_{i≠j} c_ij²: the redundancy reduction term alone (0.1 %: it collapses).
    Redundancy,
    /// scale · ( −log Σ_i exp(c_ii / τ) + λ log Σ_i Σ_{j≠i} exp(max(c_ij, 0) / τ) ): cross-entropy with temperature (63.3 %).
    /// With D = 1 the second term is 0.
    CrossEntropy,
    /// scale · ( Σ_i (1 − c_ii)² + λ Σ_{i≠j} a_ij² ) with A the auto-correlation of view a, computed like C but with view a in
    /// place of b (the paper: similar to the cross-correlation).
    AutoCorrelation,
}

impl Objective {
    /// Whether both terms are weighted sums of squares of C, which the fused forms compute.
    pub(crate) fn is_squares(self) -> bool {
        matches!(self, Self::BarlowTwins | Self::Invariance | Self::Redundancy)
    }

    /// The factors of both terms, before the scale.
    pub(crate) fn weights(self, lambda: f64) -> [f64; 2] {
        match self {
            Self::Invariance => [1.0, 0.0],
            Self::Redundancy => [0.0, lambda],
            Self::BarlowTwins | Self::CrossEntropy | Self::AutoCorrelation => [1.0, lambda],
        }
    }

    /// The name in configuration files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BarlowTwins => "barlow-twins",
            Self::Invariance => "invariance",
            Self::Redundancy => "redundancy",
            Self::CrossEntropy => "cross-entropy",
            Self::AutoCorrelation => "auto-correlation",
        }
    }
}

/// Normalisation of the embeddings before the product. Lower case in configuration files.
///
/// μ and σ² are the mean and the biased variance of a feature over the batch, separately for each view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// ẑ = (z − μ) / √(σ² + ε), C = Ẑ_aᵀ Ẑ_b / N: the paper's cross-correlation.
    #[default]
    Batch,
    /// u = ẑ / √(Σ_j ẑ_j² + ε) row by row after the batch normalisation, C = U_aᵀ U_b, not divided by N: the "feature dimension"
    /// row of the paper's table 5 (69.8 %).
    Feature,
    /// C = (Z_a − μ_a)ᵀ (Z_b − μ_b) / N: the cross-covariance (53.4 %, there also without batch norm in the projector).
    None,
}

impl Normalization {
    /// The name in configuration files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Feature => "feature",
            Self::None => "none",
        }
    }
}
