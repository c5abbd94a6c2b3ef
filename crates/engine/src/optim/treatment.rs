//! Which rate, decay and adaptation a parameter gets: by its kind, and by the rules of a method.

use barlow_model::ParamKind;
use serde::Serialize;

/// Which parameters a rule is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Select {
    /// All of them.
    All,
    /// Those of a kind.
    Kind(ParamKind),
    /// Those whose exported name starts with this text, such as `predictor.`.
    Prefix(String),
}

/// How a parameter's rate changes over the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateRule {
    /// With the schedule.
    Scheduled,
    /// The peak rate at every step (SimSiam's predictor).
    Constant,
}

/// A method's exception from the defaults of a parameter's kind; `None` leaves a setting as it is. Later rules win.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParamRule {
    /// Which parameters.
    pub select: Select,
    /// How the rate changes over the run.
    pub rate: Option<RateRule>,
    /// Whether weight decay applies.
    pub decay: Option<bool>,
    /// Whether LARS adapts the rate.
    pub adaptation: Option<bool>,
    /// No update before this step, and no momentum either.
    pub frozen_until: Option<u64>,
}

impl ParamRule {
    /// A rule that changes nothing yet.
    pub fn new(select: Select) -> Self {
        Self {
            select,
            rate: None,
            decay: None,
            adaptation: None,
            frozen_until: None,
        }
    }

    fn applies(&self, name: &str, kind: ParamKind) -> bool {
        match &self.select {
            Select::All => true,
            Select::Kind(wanted) => *wanted == kind,
            Select::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

/// What an optimiser does with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// Whether it takes the rate of biases and norms, not that of weights.
    pub takes_bias_rate: bool,
    /// How that rate changes over the run.
    pub rate: RateRule,
    /// Whether weight decay applies.
    pub decays: bool,
    /// Whether LARS adapts the rate.
    pub adapts: bool,
    /// The first step that updates it.
    pub frozen_until: u64,
}

/// The treatment of a parameter. Biases, norms' scale and shift, and tokens are neither decayed nor adapted, as the official code
/// treats parameters of rank one.
pub fn treatment(name: &str, kind: ParamKind, rules: &[ParamRule]) -> Treatment {
    let is_weight = match kind {
        ParamKind::Convolution | ParamKind::Linear | ParamKind::Embedding | ParamKind::Other => true,
        ParamKind::Norm | ParamKind::Bias | ParamKind::Token | ParamKind::RunningStatistic | ParamKind::Frozen => false,
    };
    let mut treatment = Treatment {
        // A token is initialised and updated like a weight.
        takes_bias_rate: !is_weight && kind != ParamKind::Token,
        rate: RateRule::Scheduled,
        decays: is_weight,
        adapts: is_weight,
        frozen_until: 0,
    };
    for rule in rules.iter().filter(|rule| rule.applies(name, kind)) {
        treatment.rate = rule.rate.unwrap_or(treatment.rate);
        treatment.decays = rule.decay.unwrap_or(treatment.decays);
        treatment.adapts = rule.adaptation.unwrap_or(treatment.adapts);
        treatment.frozen_until = rule.frozen_until.unwrap_or(treatment.frozen_until);
    }
    treatment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_decide_and_later_rules_win() {
        let weight = treatment("backbone.conv1.weight", ParamKind::Convolution, &[]);
        assert!(weight.decays && weight.adapts && !weight.takes_bias_rate);
        let norm = treatment("backbone.bn1.weight", ParamKind::Norm, &[]);
        assert!(!norm.decays && !norm.adapts && norm.takes_bias_rate);
        let token = treatment("backbone.class", ParamKind::Token, &[]);
        assert!(!token.decays && !token.takes_bias_rate);

        let rules = [
            ParamRule {
                decay: Some(true),
                ..ParamRule::new(Select::All)
            },
            ParamRule {
                rate: Some(RateRule::Constant),
                frozen_until: Some(7),
                ..ParamRule::new(Select::Prefix("predictor.".into()))
            },
            ParamRule {
                decay: Some(false),
                ..ParamRule::new(Select::Kind(ParamKind::Bias))
            },
        ];
        let bias = treatment("predictor.0.bias", ParamKind::Bias, &rules);
        assert_eq!(
            (bias.decays, bias.rate, bias.frozen_until),
            (false, RateRule::Constant, 7)
        );
        let norm = treatment("projector.1.weight", ParamKind::Norm, &rules);
        assert_eq!(
            (norm.decays, norm.rate, norm.adapts),
            (true, RateRule::Scheduled, false)
        );
    }
}
