//! Which form a shape takes, and why: arithmetic on N, D and the device's buffer limit, no tensors.

use crate::{BarlowTwinsLoss, LossForm, Normalization};

impl BarlowTwinsLoss {
    /// The form that [`forward`](Self::forward) takes for N pairs of D features (never `Auto`), and the reason in words for people.
    ///
    /// `largest_buffer` is the most bytes that one tensor may have on the device
    /// ([`LossOps::largest_buffer`](crate::ops::LossOps::largest_buffer)), `None` for no limit.
    ///
    /// `Auto` compares operations, 8 N² D (gram) against 6 N D² (direct), so it turns at D > 4N/3; where the winner's square
    /// matrix does not fit the buffer limit and the other's does, the other is taken. Memory asks for nothing else:
    /// the form with fewer operations has the smaller matrix, but for N < D ≤ 4N/3, where both are of nearly one size.
    pub fn form(&self, n: usize, d: usize, largest_buffer: Option<u64>) -> (LossForm, String) {
        let config = &self.config;
        if config.form != LossForm::Auto {
            return (config.form, "asked for by name".to_owned());
        }
        if !config.objective.is_squares() {
            let reason = format!("the only one for the objective {}", config.objective.name());
            return (LossForm::Reference, reason);
        }
        if config.normalization != Normalization::Batch {
            let reason = format!("the only one for the normalization {}", config.normalization.name());
            return (LossForm::Reference, reason);
        }
        let giga = 1e-9 * n as f64 * d as f64;
        let direct = Candidate {
            form: LossForm::Direct,
            operations: 6.0 * d as f64 * giga,
            side: d,
        };
        let gram = Candidate {
            form: LossForm::Gram,
            operations: 8.0 * n as f64 * giga,
            side: n,
        };
        let (best, other) = if 3 * d > 4 * n { (gram, direct) } else { (direct, gram) };
        match largest_buffer {
            Some(limit) if best.bytes() > limit && other.bytes() <= limit => {
                let reason = format!(
                    "a matrix of {0} x {0} exceeds the device's {1} MB a buffer, {2} x {2} does not",
                    best.side,
                    limit >> 20,
                    other.side
                );
                (other.form, reason)
            }
            _ => {
                let reason = format!("{:.3} against {:.3} GFLOP a step", best.operations, other.operations);
                (best.form, reason)
            }
        }
    }
}

struct Candidate {
    form: LossForm,
    /// Billions, forward and backward.
    operations: f64,
    /// Rows and columns of its square matrices.
    side: usize,
}

impl Candidate {
    fn bytes(&self) -> u64 {
        4 * (self.side as u64).pow(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BarlowTwinsLossConfig, Objective};

    fn auto(n: usize, d: usize, limit: Option<u64>) -> (LossForm, String) {
        BarlowTwinsLossConfig::new().init().form(n, d, limit)
    }

    #[test]
    fn auto_takes_the_form_with_fewer_operations() {
        for (n, d, form) in [
            (256, 8192, LossForm::Gram),
            (256, 342, LossForm::Gram),
            (256, 341, LossForm::Direct),
            (300, 400, LossForm::Direct),
            (4096, 1024, LossForm::Direct),
            (2, 1, LossForm::Direct),
        ] {
            assert_eq!(auto(n, d, None).0, form, "{n} x {d}");
        }
        assert_eq!(auto(256, 8192, None).1, "4.295 against 103.079 GFLOP a step");
    }

    #[test]
    fn a_buffer_limit_turns_the_choice_where_that_helps() {
        let limit = Some(128 << 20);
        let (form, reason) = auto(6000, 7000, limit);
        assert_eq!(form, LossForm::Direct, "neither fits: {reason}");
        let (form, reason) = auto(5600, 6000, limit);
        assert_eq!(form, LossForm::Gram);
        assert_eq!(
            reason,
            "a matrix of 6000 x 6000 exceeds the device's 128 MB a buffer, 5600 x 5600 does not"
        );
        assert_eq!(auto(256, 8192, limit).0, LossForm::Gram);
    }

    #[test]
    fn names_and_variants_decide_first() {
        let config = BarlowTwinsLossConfig::new;
        let named = config().with_form(LossForm::Direct).init().form(256, 8192, Some(1));
        assert_eq!(named, (LossForm::Direct, "asked for by name".to_owned()));
        let variant = config()
            .with_objective(Objective::CrossEntropy)
            .init()
            .form(256, 8192, None);
        assert_eq!(variant.0, LossForm::Reference);
        let variant = config().with_normalization(Normalization::None).init().form(8, 8, None);
        assert_eq!(
            variant,
            (
                LossForm::Reference,
                "the only one for the normalization none".to_owned()
            )
        );
    }
}
