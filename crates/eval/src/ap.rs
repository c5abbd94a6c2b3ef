//! Average precision of a ranking, in the definitions of VOC 2007 (11 points), of VOC 2010 (area) and of scikit-learn (steps).
//!
//! They differ by several points, so a number without its definition says little. Equal scores rank in their order.

use crate::EvalError;

/// Whether an image shows an object of a class, as the PASCAL VOC sets annotate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It does.
    Present,
    /// It does not.
    Absent,
    /// It shows only objects that are marked as difficult: neither right nor wrong in a test.
    Difficult,
}

/// Average precision of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AveragePrecision {
    /// Area under the precision-recall curve, each precision replaced by the highest one at the same or a higher recall (VOC 2010;
    /// what VISSL reports for VOC07).
    pub area: f64,
    /// Mean of those precisions at the recalls 0, 0.1, … 1 (VOC 2007).
    pub eleven_point: f64,
    /// Σ precision · (increase in recall), with equal scores as one step and without interpolation: scikit-learn's
    /// `average_precision_score`.
    pub step: f64,
    /// Number of positives.
    pub positives: usize,
    /// Number of difficult images, which were not ranked.
    pub left_out: usize,
}

/// Average precision of a precision-recall curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurveAp {
    /// As in [`AveragePrecision`].
    pub area: f64,
    /// As in [`AveragePrecision`].
    pub eleven_point: f64,
}

/// Average precision of the ranking by `scores`, highest first; images of [`Presence::Difficult`] are not ranked. `None` if none
/// is positive: precision is not defined, and 0 would be wrong.
///
/// # Errors
///
/// If a score is NaN, or the lengths differ.
pub fn average_precision(truth: &[Presence], scores: &[f64]) -> Result<Option<AveragePrecision>, EvalError> {
    if truth.len() != scores.len() {
        return Err(EvalError::Setting(format!(
            "{} images have {} scores",
            truth.len(),
            scores.len()
        )));
    }
    if let Some(row) = scores.iter().position(|score| score.is_nan()) {
        return Err(EvalError::Score { row });
    }
    let mut ranked: Vec<(f64, bool)> = scores
        .iter()
        .zip(truth)
        .filter(|(_, truth)| **truth != Presence::Difficult)
        .map(|(&score, &truth)| (score + 0.0, truth == Presence::Present))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = ranked.iter().filter(|(_, positive)| *positive).count();
    if positives == 0 {
        return Ok(None);
    }
    let (mut recall, mut precision) = (Vec::with_capacity(ranked.len()), Vec::with_capacity(ranked.len()));
    let (mut hits, mut step, mut counted) = (0, 0.0, 0);
    for (rank, &(score, positive)) in ranked.iter().enumerate() {
        hits += usize::from(positive);
        recall.push(hits as f64 / positives as f64);
        precision.push(hits as f64 / (rank + 1) as f64);
        if ranked.get(rank + 1).is_none_or(|next| next.0 != score) {
            step += (hits - counted) as f64 / positives as f64 * precision[rank];
            counted = hits;
        }
    }
    let CurveAp { area, eleven_point } = curve_ap(&recall, &precision);
    Ok(Some(AveragePrecision {
        area,
        eleven_point,
        step,
        positives,
        left_out: truth.len() - ranked.len(),
    }))
}

/// Average precision of a curve, whose recalls do not decrease. 0 of a curve without points.
pub fn curve_ap(recall: &[f64], precision: &[f64]) -> CurveAp {
    // The highest precision at each point or after it.
    let mut best = precision.to_vec();
    for at in (1..best.len()).rev() {
        best[at - 1] = best[at - 1].max(best[at]);
    }
    let (mut area, mut before) = (0.0, 0.0);
    for (&recall, &best) in recall.iter().zip(&best) {
        area += (recall - before) * best;
        before = recall;
    }
    // As numpy's `arange(0, 1.1, 0.1)`: the points are multiples of the rounded 0.1, so those of 0.3, 0.6 and 0.7 are above them.
    let at = |point: f64| {
        recall
            .iter()
            .position(|&recall| recall >= point)
            .map_or(0.0, |at| best[at])
    };
    let eleven_point = (0..11).map(|k| at(f64::from(k) * 0.1)).sum::<f64>() / 11.0;
    CurveAp { area, eleven_point }
}

/// Mean average precision over classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanAp {
    /// Mean over the classes that have one; `None` if none has.
    pub mean: Option<f64>,
    /// Number of those classes.
    pub classes: usize,
    /// Number of classes without positives, which are not part of the mean.
    pub undefined: usize,
}

impl MeanAp {
    /// Of the average precision of every class.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let (mut sum, mut classes, mut undefined) = (0.0, 0, 0);
        for value in values {
            match value {
                Some(value) => {
                    sum += value;
                    classes += 1;
                }
                None => undefined += 1,
            }
        }
        Self {
            mean: (classes > 0).then(|| sum / classes as f64),
            classes,
            undefined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Presence::{Absent, Difficult, Present};

    fn presence(positive: bool) -> Presence {
        if positive { Present } else { Absent }
    }

    /// The expected values are those of VISSL's functions in numpy (area, 11-point, with a stable descending sort) and of
    /// scikit-learn 1.9's `average_precision_score` (step).
    #[test]
    fn agrees_with_other_implementations() {
        let wave = |i: usize| (0.9 * i as f64).sin() + 0.5 * (1.7 * i as f64).sin();
        let positive = |i: usize| presence((1.7 * i as f64).sin() > 0.3);
        let difficult = |i: usize| if i % 5 == 2 { Difficult } else { positive(i) };
        type Truth<'a> = &'a dyn Fn(usize) -> Presence;
        type Score<'a> = &'a dyn Fn(usize) -> f64;
        let cases: [(&str, Truth, Score, [f64; 3]); 5] = [
            ("plain", &positive, &wave, [0.75, 0.772727272727, 0.738177244582]),
            (
                "ties",
                &positive,
                &|i| wave(i).round_ties_even(),
                [0.690657748049, 0.709688861863, 0.58527584947],
            ),
            (
                "difficult",
                &difficult,
                &wave,
                [0.82962962963, 0.824242424242, 0.824603174603],
            ),
            ("all positive", &|_| Present, &wave, [1.0, 1.0, 1.0]),
            (
                "one positive at the end",
                &|i| presence(i == 22),
                &|i| -(i as f64),
                [0.0434782608696; 3],
            ),
        ];
        for (name, truth, score, expected) in cases {
            let truth: Vec<_> = (0..23).map(truth).collect();
            let scores: Vec<_> = (0..23).map(score).collect();
            let ap = average_precision(&truth, &scores).unwrap().unwrap();
            for (found, expected) in [ap.area, ap.eleven_point, ap.step].into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-11, "{name}: {found}, not {expected}");
            }
            let left_out = truth.iter().filter(|&&truth| truth == Difficult).count();
            assert_eq!(ap.left_out, left_out, "{name}");
        }
    }

    #[test]
    fn no_positive_and_no_image_have_no_average_precision() {
        assert_eq!(average_precision(&[Absent, Difficult], &[1.0, 2.0]).unwrap(), None);
        assert_eq!(average_precision(&[], &[]).unwrap(), None);
        let mean = MeanAp::of([Some(0.5), None, Some(1.0)]);
        assert_eq!((mean.mean, mean.classes, mean.undefined), (Some(0.75), 2, 1));
        assert_eq!(MeanAp::of([None]).mean, None);
    }

    #[test]
    fn a_score_that_is_nan_is_refused_and_an_infinite_one_is_ranked() {
        let error = average_precision(&[Present, Absent], &[0.5, f64::NAN]).unwrap_err();
        assert_eq!(error.to_string(), "score 1 is NaN: it has no place in a ranking");
        let ap = average_precision(&[Present, Absent], &[f64::NEG_INFINITY, 3.0])
            .unwrap()
            .unwrap();
        assert_eq!((ap.area, ap.step), (0.5, 0.5));
        assert!(average_precision(&[Present], &[]).is_err());
    }

    /// The fourth, seventh and eighth of numpy's points lie above 0.3, 0.6 and 0.7.
    #[test]
    fn a_recall_of_exactly_three_tenths_misses_that_point() {
        let precision: Vec<f64> = (0..10).map(|k| if k < 3 { 1.0 } else { 0.5 }).collect();
        let recall: Vec<f64> = (1..=10).map(|k| f64::from(k) / 10.0).collect();
        // Points 0, 0.1 and 0.2 have precision 1, all others 0.5.
        let expected = (3.0 + 8.0 * 0.5) / 11.0;
        assert!((curve_ap(&recall, &precision).eleven_point - expected).abs() < 1e-12);
        assert_eq!(
            curve_ap(&[], &[]),
            CurveAp {
                area: 0.0,
                eleven_point: 0.0
            }
        );
    }
}
