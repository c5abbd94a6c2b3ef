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
            let side = if config.form == LossForm::Gram { n } else { d };
            let reason = match largest_buffer {
                Some(limit) if bytes(side) > limit => format!(
                    "asked for by name, though a matrix of {side} x {side} ({:.1} MB) exceeds the device's {} MB a buffer",
                    bytes(side) as f64 / (1 << 20) as f64,
                    limit >> 20
                ),
                _ => "asked for by name".to_owned(),
            };
            return (config.form, reason);
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
        let operations = format!("{:.3} against {:.3} GFLOP a step", best.operations, other.operations);
        match largest_buffer.filter(|&limit| bytes(best.side) > limit) {
            Some(limit) if bytes(other.side) <= limit => {
                let reason = format!(
                    "a matrix of {0} x {0} exceeds the device's {1} MB a buffer, {2} x {2} does not",
                    best.side,
                    limit >> 20,
                    other.side
                );
                (other.form, reason)
            }
            Some(limit) => {
                let reason = format!(
                    "{operations}; a matrix of {0} x {0} or {1} x {1}: neither fits the device's {2} MB a buffer",
                    best.side,
                    other.side,
                    limit >> 20
                );
                (best.form, reason)
            }
            None => (best.form, operations),
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

/// Of a square matrix in f32.
fn bytes(side: usize) -> u64 {
    4 * (side as u64).pow(2)
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
        assert_eq!(form, LossForm::Direct);
        assert_eq!(
            reason,
            "1764.000 against 2016.000 GFLOP a step; a matrix of 7000 x 7000 or 6000 x 6000: neither fits the device's 128 MB a buffer"
        );
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
        let named = |form, limit| config().with_form(form).init().form(256, 8192, limit);
        for (form, limit) in [(LossForm::Direct, None), (LossForm::Gram, Some(128 << 20))] {
            assert_eq!(named(form, limit), (form, "asked for by name".to_owned()));
        }
        for form in [LossForm::Direct, LossForm::Reference] {
            let reason =
                "asked for by name, though a matrix of 8192 x 8192 (256.0 MB) exceeds the device's 128 MB a buffer";
            assert_eq!(named(form, Some(128 << 20)), (form, reason.to_owned()));
        }
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
