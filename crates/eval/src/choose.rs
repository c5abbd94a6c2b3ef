//! The penalty of the linear probe, chosen on images held out of the training set.

use crate::input::Input;
use crate::linear::{LinearConfig, cache, classify, seen, targets, transform};
use crate::logistic::{EXCLUDED, Problem};
use crate::progress::{Control, Progress, Stage, report};
use crate::rows::check;
use crate::{EvalError, Rows, Set};

/// A penalty, and what it gives on the held-out images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2Candidate {
    /// Factor of Σ w².
    pub l2: f64,
    /// Fraction of the held-out images whose class was predicted correctly.
    pub top1: f64,
    /// Mean cross-entropy of the held-out images.
    pub cross_entropy: f64,
    /// Whether the fit converged.
    pub converged: bool,
}

/// Result of [`choose_l2`].
#[derive(Clone, Debug, PartialEq)]
pub struct L2Choice {
    /// In the order in which they were given.
    pub candidates: Vec<L2Candidate>,
    /// The `l2` with the highest accuracy; in a tie that with the lowest cross-entropy, then the largest.
    pub best: f64,
    /// Number of held-out images.
    pub held_out: usize,
}

/// Chooses `l2` by the accuracy on a part of the training images, `fraction` of every class: evenly spaced among its images, at
/// least one, and never all. Fit again on all training images with the result; test images have no part in the choice.
///
/// # Errors
///
/// As [`linear_probe`](crate::linear_probe); if there is no candidate, the fraction is not between 0 and 1, or no class has two
/// images.
pub fn choose_l2(
    train: &dyn Rows,
    candidates: &[f64],
    fraction: f64,
    config: &LinearConfig,
    control: &mut Control,
) -> Result<L2Choice, EvalError> {
    check(Set::Training, train)?;
    if candidates.is_empty() || !(fraction > 0.0 && fraction < 1.0) {
        return Err(EvalError::Setting(format!(
            "choosing l2 needs candidates and a fraction between 0 and 1, not {candidates:?} and {fraction}"
        )));
    }
    for &l2 in candidates {
        LinearConfig { l2, ..*config }.check()?;
    }
    let held_out = held_out(train, fraction);
    let count = held_out.iter().filter(|&&held| held).count();
    if count == 0 {
        return Err(EvalError::Setting(
            "l2 cannot be chosen: no class has a second training image to hold out".to_owned(),
        ));
    }
    let seen = seen(train);
    let mut targets = targets(train, &seen);
    let held = targets.iter_mut().zip(&held_out).filter(|(_, held)| **held);
    held.for_each(|(target, _)| *target = EXCLUDED);
    let transform = transform(train, config, |row| !held_out[row], control)?;
    let memory = cache(&transform, config);
    let input = Input::new(train, Set::Training, transform, memory)?;

    // From the strongest penalty to the weakest, each starts at the previous optimum.
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| candidates[b].total_cmp(&candidates[a]));
    let mut start = vec![0.0; seen.len() * (train.width() + 1)];
    let mut found: Vec<Option<L2Candidate>> = vec![None; candidates.len()];
    for (done, &at) in order.iter().enumerate() {
        let mut poll = |value: f64| {
            report(
                control,
                Progress {
                    stage: Stage::Choosing,
                    done,
                    total: candidates.len(),
                    objective: value.is_finite().then_some(value),
                },
            )
        };
        let problem = Problem {
            input: &input,
            targets: &targets,
            columns: seen.len(),
            l2: candidates[at],
        };
        let fit = problem.fit(start, config.max_iterations, config.tolerance, |_, value| poll(value))?;
        let (mut row, mut correct, mut cross_entropy) = (0, 0, 0.0);
        classify(&input, &seen, &fit, |outcomes| {
            for outcome in outcomes {
                if held_out[row] {
                    correct += usize::from(outcome.correct);
                    cross_entropy += outcome.cross_entropy;
                }
                row += 1;
            }
            poll(fit.objective)
        })?;
        found[at] = Some(L2Candidate {
            l2: candidates[at],
            top1: correct as f64 / count as f64,
            cross_entropy: cross_entropy / count as f64,
            converged: fit.converged,
        });
        start = fit.parameters;
    }
    let candidates: Vec<L2Candidate> = found.into_iter().flatten().collect();
    let better = |a: &L2Candidate, b: &L2Candidate| {
        let accuracy = a.top1.total_cmp(&b.top1);
        let entropy = b.cross_entropy.total_cmp(&a.cross_entropy);
        accuracy.then(entropy).then(a.l2.total_cmp(&b.l2))
    };
    let best = candidates.iter().copied().max_by(better).map(|candidate| candidate.l2);
    Ok(L2Choice {
        best: best.unwrap_or(config.l2),
        candidates,
        held_out: count,
    })
}

/// Which rows are held out.
fn held_out(rows: &dyn Rows, fraction: f64) -> Vec<bool> {
    let mut totals = vec![0usize; rows.classes()];
    rows.labels().iter().for_each(|&label| totals[label] += 1);
    let wanted = |total: usize| {
        let rounded = (total as f64 * fraction).round() as usize;
        rounded.max(1).min(total.saturating_sub(1))
    };
    let mut seen = vec![0usize; rows.classes()];
    let held = rows.labels().iter().map(|&label| {
        let (at, total) = (seen[label] as u128, totals[label] as u128);
        seen[label] += 1;
        let wanted = wanted(totals[label]) as u128;
        (at + 1) * wanted / total > at * wanted / total
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, unattended};

    fn features<'a>(rows: &'a [f32], labels: &'a [usize]) -> Features<'a> {
        Features {
            rows,
            width: rows.len() / labels.len(),
            labels,
            classes: 4,
        }
    }

    #[test]
    fn every_class_gives_its_part_and_keeps_the_rest() {
        let labels: Vec<usize> = (0..66)
            .map(|i| if i < 40 { 0 } else { [1, 1, 2][i % 3] })
            .chain([3])
            .collect();
        let rows = vec![0.0; labels.len()];
        for (fraction, expected) in [(0.1, [4, 2, 1, 0]), (0.25, [10, 4, 2, 0]), (0.99, [39, 16, 8, 0])] {
            let held = held_out(&features(&rows, &labels), fraction);
            let mut counts = [0; 4];
            held.iter()
                .zip(&labels)
                .for_each(|(&held, &label)| counts[label] += usize::from(held));
            assert_eq!(counts, expected, "{fraction}");
        }
        let held = held_out(&features(&rows[..40], &labels[..40]), 0.1);
        let places: Vec<usize> = (0..40).filter(|&row| held[row]).collect();
        assert_eq!(places, [9, 19, 29, 39]);
    }

    /// Four informative features among noise and few images: without a penalty the fit follows the noise, with a strong one only the
    /// frequencies of the classes are left.
    #[test]
    fn a_penalty_between_the_extremes_is_chosen_without_the_held_out_images() {
        let (images, width) = (240, 60);
        let labels: Vec<usize> = (0..images)
            .map(|i: usize| (i * 7 % 20).saturating_sub(10).div_ceil(3))
            .collect();
        let mut state = 1u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let signal = |k: usize| if k % width == labels[k / width] { 1.0 } else { 0.0 };
        let rows: Vec<f32> = (0..images * width).map(|k| noise() + signal(k)).collect();
        let given = [1e-7, 100.0, 0.03, 1e-4];
        let choice = choose_l2(
            &features(&rows, &labels),
            &given,
            0.2,
            &LinearConfig::default(),
            &mut unattended,
        )
        .unwrap();
        assert_eq!((choice.best, choice.held_out), (0.03, 47), "{choice:?}");
        assert!(choice.candidates.iter().map(|c| c.l2).eq(given));
        assert!(
            choice.candidates.iter().all(|c| c.converged || c.l2 < 1e-5),
            "{choice:?}"
        );
    }

    #[test]
    fn settings_and_sets_that_allow_no_choice_are_refused() {
        let set = features(&[1.0, 2.0], &[0, 1]);
        let refused = |candidates: &[f64], fraction| {
            choose_l2(&set, candidates, fraction, &LinearConfig::default(), &mut unattended)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&[], 0.1).starts_with("choosing l2 needs candidates"));
        assert!(refused(&[1.0], 1.0).contains("fraction between 0 and 1"));
        assert!(refused(&[f64::NAN], 0.5).contains("finite l2"));
        assert!(refused(&[1.0], 0.5).contains("no class has a second training image"));
    }
}
