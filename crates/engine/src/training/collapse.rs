//! The warning about a collapse: readings of the log in plain words.
//!
//! Many runs begin with a plateau that looks like a collapse, so nothing is said in the first tenth of a run, nor in its first hundred
//! steps, nor of a single interval.

use crate::method::Outlook;
use crate::metrics::Readings;
use std::collections::BTreeMap;

/// The fraction of the run before the first warning.
const GRACE: f64 = 0.1;
/// Steps before the first warning.
const GRACE_STEPS: u64 = 100;
/// Logged intervals in succession that show the same.
const IN_SUCCESSION: usize = 2;
/// Below this [`unit_deviation`](barlow_loss::unit_deviation), which is about 1 for embeddings that are spread, they are one point.
const POINT: f64 = 0.1;
/// Below so many prototypes in use there is one code for all images.
const ONE_CODE: f64 = 1.5;
/// Above this entropy, of at most 1, codes tell nothing apart.
const UNIFORM: f64 = 0.9999;
/// Below this mean of the cross-correlation's diagonal, of at most 1, the views share nothing.
const UNCORRELATED: f64 = 0.05;
/// A loss this close to its value for embeddings without information, as a fraction of it.
const AT_START: f64 = 0.005;

/// What a collapse of a run looks like so far.
#[derive(Debug, Default)]
pub(super) struct CollapseWatch {
    /// For each kind, intervals in succession that show it; those that have been reported have the largest number.
    seen: BTreeMap<&'static str, usize>,
}

impl CollapseWatch {
    /// The warnings that an interval with these mean readings gives, each at most once; `codes` is the number of prototypes or labels
    /// of a method that has any; `step` of `total_steps` are done.
    pub fn warnings(
        &mut self,
        readings: &Readings,
        outlook: &Outlook,
        codes: Option<usize>,
        [step, total_steps]: [u64; 2],
    ) -> Vec<String> {
        if step < GRACE_STEPS || (step as f64) < GRACE * total_steps as f64 {
            return Vec::new();
        }
        let shown = signs(readings, outlook, codes);
        let shows = |kind: &str| shown.iter().any(|(shown, _)| *shown == kind);
        self.seen.retain(|kind, count| *count == usize::MAX || shows(kind));
        let mut warnings = Vec::new();
        for (kind, text) in shown {
            let count = self.seen.entry(kind).or_default();
            *count = count.saturating_add(1);
            if *count == IN_SUCCESSION {
                *count = usize::MAX;
                warnings.push(text);
            }
        }
        warnings
    }
}

/// The kinds of collapse that readings show, each with its warning.
fn signs(readings: &Readings, outlook: &Outlook, codes: Option<usize>) -> Vec<(&'static str, String)> {
    let mut signs = Vec::new();
    if let Some(deviation) = readings.get("unit_deviation").filter(|&deviation| deviation < POINT) {
        signs.push((
            "point",
            format!(
                "all images have nearly the same embedding (unit_deviation {deviation:.3}, about 1 is healthy): the network has \
                 collapsed; lower the learning rate, or check the method's predictor, teacher and weight decay"
            ),
        ));
    }
    let used = readings.get("prototype_use").zip(codes);
    let used = used.map(|(fraction, codes)| (fraction * codes as f64, codes));
    if let Some((used, codes)) = used.filter(|&(used, codes)| codes > 1 && used < ONE_CODE) {
        signs.push((
            "one code",
            format!(
                "all images have the same code ({used:.1} of {codes} prototypes are in use): the clusters have collapsed; lower the \
                 learning rate, or train the prototypes later"
            ),
        ));
    }
    if let Some(entropy) = readings.get("code_entropy").filter(|&entropy| entropy > UNIFORM) {
        signs.push((
            "uniform codes",
            format!(
                "the codes are the same for all prototypes (code_entropy {entropy:.5}, 1 is uniform): they tell no images apart; lower \
                 the method's temperature or epsilon"
            ),
        ));
    }
    if let Some(mean) = readings.get("diagonal_mean").filter(|&mean| mean < UNCORRELATED) {
        signs.push((
            "uncorrelated views",
            format!(
                "both views' embeddings are uncorrelated (diagonal_mean {mean:.3}, 1 is the target): the network has learnt nothing \
                 that views of an image share; lower the learning rate or loss.lambda"
            ),
        ));
    }
    let loss = readings.loss();
    let start = outlook.start.filter(|start| *start != 0.0);
    if let Some(start) = start.filter(|start| ((loss - start) / start).abs() < AT_START) {
        signs.push((
            "no progress",
            format!(
                "the loss is {loss:.3}, where embeddings without information start ({start:.3}): nothing is learnt; change the \
                 learning rate, or the method's temperature"
            ),
        ));
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(readings: &[(&str, f64)]) -> Readings {
        Readings::new(
            readings.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            readings.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
        )
    }

    fn kinds(readings: &[(&str, f64)], codes: Option<usize>, start: Option<f64>) -> Vec<&'static str> {
        let outlook = Outlook {
            start,
            ..Outlook::default()
        };
        let found = signs(&of(readings), &outlook, codes);
        found.into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn each_kind_of_collapse_has_its_warning() {
        let healthy = [
            ("loss", 3.0),
            ("unit_deviation", 0.8),
            ("prototype_use", 0.3),
            ("code_entropy", 0.4),
        ];
        assert!(kinds(&healthy, Some(64), Some(4.0)).is_empty());
        assert_eq!(
            kinds(&[("loss", -1.0), ("unit_deviation", 0.02)], None, None),
            ["point"]
        );
        let one_code = [("loss", 0.0), ("prototype_use", 1.0 / 64.0), ("code_entropy", 0.0)];
        assert_eq!(kinds(&one_code, Some(64), None), ["one code"]);
        // Without the number of prototypes a small fraction says nothing.
        assert!(kinds(&one_code, None, None).is_empty());
        assert_eq!(
            kinds(
                &[("loss", 64f64.ln()), ("code_entropy", 1.0)],
                Some(64),
                Some(64f64.ln())
            ),
            ["uniform codes", "no progress"]
        );
        assert_eq!(
            kinds(&[("loss", 900.0), ("diagonal_mean", 0.01)], None, None),
            ["uncorrelated views"]
        );
    }

    #[test]
    fn a_plateau_at_the_start_or_of_one_interval_is_no_collapse() {
        let (bad, good) = (
            of(&[("loss", 0.0), ("unit_deviation", 0.01)]),
            of(&[("loss", 0.0), ("unit_deviation", 1.0)]),
        );
        let outlook = Outlook::default();
        let mut watch = CollapseWatch::default();
        let mut warned = |readings: &Readings, step: u64| watch.warnings(readings, &outlook, None, [step, 2000]).len();
        assert_eq!([warned(&bad, 20), warned(&bad, 100), warned(&bad, 180)], [0, 0, 0]);
        assert_eq!([warned(&bad, 200), warned(&good, 400), warned(&bad, 600)], [0, 0, 0]);
        // The second in succession; then never again.
        assert_eq!(
            [
                warned(&bad, 800),
                warned(&bad, 1000),
                warned(&good, 1200),
                warned(&bad, 1400),
                warned(&bad, 1600)
            ],
            [1, 0, 0, 0, 0]
        );
        let mut short = CollapseWatch::default();
        assert_eq!(
            [50, 99, 100].map(|step| short.warnings(&bad, &outlook, None, [step, 100]).len()),
            [0, 0, 0],
            "a run of a hundred steps tells nothing"
        );
    }
}
