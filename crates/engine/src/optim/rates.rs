//! Learning rates of the two groups of parameters.

/// Rates of both groups of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningRates {
    /// For convolutions, linear layers, embeddings and tokens.
    pub weights: f64,
    /// For biases and the norms' scale and shift.
    pub biases: f64,
}

impl LearningRates {
    /// Both rates times the schedule's factor.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            weights: self.weights * factor,
            biases: self.biases * factor,
        }
    }
}

/// The rates of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRates {
    /// With the schedule applied.
    pub now: LearningRates,
    /// The peak of the run, for parameters whose rate is constant ([`RateRule::Constant`](super::RateRule)).
    pub peak: LearningRates,
}

impl From<LearningRates> for StepRates {
    /// A step at the peak rates.
    fn from(rates: LearningRates) -> Self {
        Self {
            now: rates,
            peak: rates,
        }
    }
}
