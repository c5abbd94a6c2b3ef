//! Multinomial logistic regression on transformed rows: mean cross-entropy + l2 · Σ w², minimised to convergence.
//!
//! The first iterations compute products in f32, which is twice as fast; the last ones in f64, so that the result is that of f64.

use crate::EvalError;
use crate::block::{Gradient, Linear, Loss, Workspace, gradient};
use crate::input::Input;
use crate::lbfgs::{ALL_BISECTIONS, Lbfgs, Limits, Status};
use crate::product::Float;
use std::ops::Range;

/// In place of a row's class: the row is not part of the problem.
pub(crate) const EXCLUDED: usize = usize::MAX;

/// A problem with fewer products a pass is computed in f64 from the start. Tests begin in f32 with less.
const SMALL: usize = if cfg!(test) { 1 << 10 } else { 1 << 24 };

/// Bisections of a step after which f32 is held to be exhausted.
const ROUGH_BISECTIONS: usize = 6;

/// What to fit.
pub(crate) struct Problem<'a> {
    pub input: &'a Input<'a>,
    /// Column of every row, or [`EXCLUDED`].
    pub targets: &'a [usize],
    /// Number of columns: classes that have rows.
    pub columns: usize,
    /// Factor of the penalty.
    pub l2: f64,
}

/// A fitted classifier.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    /// Weights `[columns, width]`, followed by the biases `[columns]`.
    pub parameters: Vec<f64>,
    pub objective: f64,
    pub iterations: usize,
    pub converged: bool,
}

impl Problem<'_> {
    /// Minimises the objective. `poll` is called after every block of rows, with the number of iterations so far and the best value.
    pub fn fit(
        &self,
        start: Vec<f64>,
        max_iterations: usize,
        tolerance: f64,
        mut poll: impl FnMut(usize, f64) -> Result<(), EvalError>,
    ) -> Result<Fit, EvalError> {
        let rough = Limits {
            max_iterations,
            tolerance,
            bisections: ROUGH_BISECTIONS,
        };
        let exact = Limits {
            bisections: ALL_BISECTIONS,
            ..rough
        };
        let products = self.input.len().saturating_mul(start.len());
        let mut search = Lbfgs::new(start, rough);
        if products >= SMALL {
            self.minimise::<f32>(&mut search, &mut poll)?;
        }
        search.resume(exact);
        self.minimise::<f64>(&mut search, &mut poll)?;
        Ok(Fit {
            objective: search.value(),
            iterations: search.iterations(),
            converged: search.has_converged(),
            parameters: search.into_minimum(),
        })
    }

    fn minimise<T: Float>(
        &self,
        search: &mut Lbfgs,
        poll: &mut impl FnMut(usize, f64) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut workspace = Workspace::default();
        while search.status() == Status::Running {
            let (iterations, best) = (search.iterations(), search.value());
            let (value, gradient) =
                self.evaluate::<T>(search.point(), &mut workspace, &mut || poll(iterations, best))?;
            search.tell(value, gradient);
        }
        Ok(())
    }

    /// Objective and gradient.
    fn evaluate<T: Float>(
        &self,
        parameters: &[f64],
        workspace: &mut Workspace<T>,
        poll: &mut dyn FnMut() -> Result<(), EvalError>,
    ) -> Result<(f64, Vec<f64>), EvalError> {
        let (weight, bias) = parameters.split_at(self.columns * self.input.width());
        let loss = Softmax {
            targets: self.targets,
            columns: self.columns,
        };
        let Gradient {
            losses,
            weight: mut all,
            bias: bias_gradient,
        } = gradient::<T>(self.input, Linear { weight, bias }, &loss, workspace, |_| poll())?;
        let included = self.targets.iter().filter(|&&target| target != EXCLUDED).count();
        let scale = 1.0 / included.max(1) as f64;
        let mut penalty = 0.0;
        for (g, w) in all.iter_mut().zip(weight) {
            penalty += w * w;
            *g = *g * scale + 2.0 * self.l2 * w;
        }
        all.extend(bias_gradient.iter().map(|g| g * scale));
        Ok((losses[0] * scale + self.l2 * penalty, all))
    }
}

/// Cross-entropy of the softmax of the scores.
struct Softmax<'a> {
    targets: &'a [usize],
    columns: usize,
}

impl Loss for Softmax<'_> {
    fn derive<T: Float>(&self, rows: Range<usize>, scores: &mut [T], sums: &mut [f64]) {
        for (scores, &target) in scores.chunks_exact_mut(self.columns).zip(&self.targets[rows]) {
            if target == EXCLUDED {
                scores.fill(T::default());
                continue;
            }
            // `f64::max` ignores NaN, but the sum below does not.
            let highest = scores.iter().fold(f64::NEG_INFINITY, |most, s| most.max(s.to_f64()));
            let at_target = scores[target].to_f64();
            let mut total = 0.0;
            for score in &mut *scores {
                *score = T::of(score.to_f64() - highest).exp();
                total += score.to_f64();
            }
            let scale = 1.0 / total;
            scores
                .iter_mut()
                .for_each(|score| *score = T::of(score.to_f64() * scale));
            scores[target] = T::of(scores[target].to_f64() - 1.0);
            sums[0] += total.ln() + highest - at_target;
        }
    }

    fn sums(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Transform;
    use crate::{Features, Set};

    fn formula(count: usize) -> Vec<f32> {
        (0..count)
            .map(|k| ((k as f64 * 0.77).sin() + (k as f64 * 0.013).cos()) as f32)
            .collect()
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        // 700 rows are several strips and two depths; 70 features two tiles.
        let (rows, labels) = (formula(700 * 70), vec![0; 700]);
        let features = Features {
            rows: &rows,
            width: 70,
            labels: &labels,
            classes: 3,
        };
        let targets: Vec<usize> = (0..700)
            .map(|i| if i % 7 == 3 { EXCLUDED } else { i * i % 5 % 3 })
            .collect();
        let input = Input::new(&features, Set::Training, Transform::None, 0).unwrap();
        let problem = Problem {
            input: &input,
            targets: &targets,
            columns: 3,
            l2: 0.01,
        };
        let at: Vec<f64> = (0..213).map(|k| 0.3 * (k as f64 * 0.7).sin()).collect();
        let evaluate = |at: &[f64]| {
            problem
                .evaluate::<f64>(at, &mut Workspace::default(), &mut || Ok(()))
                .unwrap()
        };
        let (value, gradient) = evaluate(&at);
        for (k, &own) in gradient.iter().enumerate().step_by(5) {
            let moved = |by: f64| {
                let mut moved = at.clone();
                moved[k] += by;
                evaluate(&moved).0
            };
            let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((own - numeric).abs() < 1e-8, "{k}: {own} against {numeric}");
        }
        let rough = problem
            .evaluate::<f32>(&at, &mut Workspace::default(), &mut || Ok(()))
            .unwrap();
        assert!((rough.0 - value).abs() < 1e-6 * value, "{} against {value}", rough.0);
        for (rough, exact) in rough.1.iter().zip(&gradient) {
            assert!((rough - exact).abs() < 1e-6, "{rough} against {exact}");
        }
    }

    #[test]
    fn excluded_rows_do_not_matter() {
        let mut rows = formula(90 * 4);
        let targets: Vec<usize> = (0..90)
            .map(|i| if i % 3 == 1 { EXCLUDED } else { i * 7 % 11 % 2 })
            .collect();
        let labels = vec![0; 90];
        let mut values = Vec::new();
        for _ in 0..2 {
            let features = Features {
                rows: &rows,
                width: 4,
                labels: &labels,
                classes: 2,
            };
            let input = Input::new(&features, Set::Training, Transform::None, 0).unwrap();
            let problem = Problem {
                input: &input,
                targets: &targets,
                columns: 2,
                l2: 0.01,
            };
            values.push(problem.fit(vec![0.0; 10], 500, 1e-9, |_, _| Ok(())).unwrap().objective);
            rows.chunks_exact_mut(4)
                .skip(1)
                .step_by(3)
                .for_each(|row| row.fill(9.0));
        }
        assert!((values[0] - values[1]).abs() < 1e-12, "{values:?}");
    }
}
