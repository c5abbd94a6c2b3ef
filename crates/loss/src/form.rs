//! Selection of the form for a shape, with the reason: arithmetic on N, D and the device's buffer limit, no tensors.

use crate::{BarlowTwinsLoss, LossForm, Normalization};

impl BarlowTwinsLoss {
    /// The form that [`forward`](Self::forward) uses for N pairs of D features (never `Auto`), and the reason as text for logs.
    ///
    /// `largest_buffer` is the maximum size of one tensor on the device, in bytes
    /// ([`LossOps::largest_buffer`](crate::ops::LossOps::largest_buffer)), `None` for no limit.
    ///
    /// `Auto` compares the number of operations, 8 N² D (gram) with 6 N D² (direct), so it selects gram if D > 4N/3. If the
    /// square matrix of the cheaper form exceeds the buffer limit and that of the other does not, the other form is used. Memory
    /// needs no other rule: the form with fewer operations has the smaller matrix, except for N < D ≤ 4N/3, where both have
    /// similar sizes.
    pub fn form(&self, n: usize, d: usize, largest_buffer: Option<u64>) -> (LossForm, String) {
        let config = &self.config;
        if config.form != LossForm::Auto {
            let side = if config.form == LossForm::Gram { n } else { d };
            let reason = match largest_buffer {
                Some(limit) if bytes(side) > limit => format!(
                    "selected by name, but a matrix of {side} x {side} ({:.1} MB) exceeds the device's limit of {} MB per buffer",
                    bytes(side) as f64 / (1 << 20) as f64,
                    limit >> 20
                ),
                _ => "selected by name".to_owned(),
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
                    "a matrix of {0} x {0} exceeds the device's limit of {1} MB per buffer, {2} x {2} does not",
                    best.side,
                    limit >> 20,
                    other.side
                );
                (other.form, reason)
            }
            Some(limit) => {
                let reason = format!(
                    "{operations}; matrices of {0} x {0} and of {1} x {1} both exceed the device's limit of {2} MB per buffer",
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
    /// Operations forward and backward, in billions.
    operations: f64,
    /// Rows and columns of its square matrices.
    side: usize,
}

/// Size of a square f32 matrix, in bytes.
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
            "1764.000 against 2016.000 GFLOP a step; \
             matrices of 7000 x 7000 and of 6000 x 6000 both exceed the device's limit of 128 MB per buffer"
        );
        let (form, reason) = auto(5600, 6000, limit);
        assert_eq!(form, LossForm::Gram);
        assert_eq!(
            reason,
            "a matrix of 6000 x 6000 exceeds the device's limit of 128 MB per buffer, 5600 x 5600 does not"
        );
        assert_eq!(auto(256, 8192, limit).0, LossForm::Gram);
    }

    #[test]
    fn names_and_variants_decide_first() {
        let config = BarlowTwinsLossConfig::new;
        let named = |form, limit| config().with_form(form).init().form(256, 8192, limit);
        for (form, limit) in [(LossForm::Direct, None), (LossForm::Gram, Some(128 << 20))] {
            assert_eq!(named(form, limit), (form, "selected by name".to_owned()));
        }
        for form in [LossForm::Direct, LossForm::Reference] {
            let reason = "selected by name, but a matrix of 8192 x 8192 (256.0 MB) \
                          exceeds the device's limit of 128 MB per buffer";
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
