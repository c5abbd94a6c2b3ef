//! `bench loss`: the Barlow Twins loss and its gradients, in each of its forms.

use super::measure::{BenchOptions, Case, in_processes};
use super::table::Table;
use barlow_engine::error::RunError;
use barlow_engine::timing::{LossWorkload, Workload};
use barlow_loss::LossForm;
use barlow_train::device::Selected;
use serde_json::json;

/// The forms that are timed, by name.
pub const FORMS: [(&str, LossForm); 4] = [
    ("auto", LossForm::Auto),
    ("direct", LossForm::Direct),
    ("gram", LossForm::Gram),
    ("reference", LossForm::Reference),
];

/// Batch size N and width D of the embeddings.
pub type LossShape = [usize; 2];

const SHAPES: [LossShape; 4] = [[256, 2048], [256, 8192], [1024, 8192], [2048, 2048]];

/// Times every form (default: `auto`) at every shape.
///
/// # Errors
/// [`RunError::Failed`] if a case fails; the other ones are timed nevertheless.
pub fn run(
    selected: &Selected,
    shapes: &[LossShape],
    forms: &[LossForm],
    options: BenchOptions,
) -> Result<(), RunError> {
    let shapes = if shapes.is_empty() { &SHAPES[..] } else { shapes };
    let forms = if forms.is_empty() { &[LossForm::Auto][..] } else { forms };
    let cases: Vec<Case> = shapes
        .iter()
        .flat_map(|&shape| forms.iter().map(move |&form| case(shape, form)))
        .collect();
    let table = Table {
        named: &[("n", 6), ("d", 6), ("form", 9), ("takes", 9), ("backend", 7)],
    };
    in_processes("loss", &cases, &table, selected, options)
}

fn case([n, d]: LossShape, form: LossForm) -> Case {
    let workload = LossWorkload { form, n, d };
    let takes = name(workload.form_taken(None));
    let form = name(form);
    Case {
        flags: ["--shape", &format!("{n}x{d}"), "--form", form]
            .map(str::to_owned)
            .to_vec(),
        fields: json!({ "n": n, "d": d, "form": form, "takes": takes }),
        workload: Workload::Loss(workload),
    }
}

fn name(form: LossForm) -> &'static str {
    let known = FORMS.iter().find(|(_, known)| *known == form);
    known.expect("every form has a name").0
}
