//! Linear SVMs with squared hinge loss, many at once: ½ (|w|² + b²) + C Σ s · max(0, 1 − y f(x))², where s weighs positives.
//!
//! This is LIBLINEAR's problem, whose bias is penalised. It is strictly convex, so the optimum is unique. All problems share the
//! passes over the rows, in which each is a column.

use crate::EvalError;
use crate::block::{Gradient, Linear, Loss, Workspace, gradient};
use crate::input::Input;
use crate::lbfgs::{ALL_BISECTIONS, Lbfgs, Limits, Status};
use crate::product::Float;
use std::ops::Range;

/// One SVM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// The column of [`Machines::positive`] that says which rows are positive.
    pub class: usize,
    /// C.
    pub cost: f64,
    /// Rows of this fold (see [`Machines::folds`]) are not part of the problem.
    pub without_fold: Option<u8>,
}

/// The rows of several SVMs.
pub(crate) struct Machines<'a> {
    pub input: &'a Input<'a>,
    /// `[rows, classes]`.
    pub positive: &'a [bool],
    pub classes: usize,
    /// The fold of every row, `[rows, classes]`.
    pub folds: &'a [u8],
    /// s of positives.
    pub positive_weight: f64,
}

/// A fitted SVM.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    /// Weights, and the bias at the end.
    pub parameters: Vec<f64>,
    pub iterations: usize,
    pub converged: bool,
}

/// Bisections of a step after which f32 is held to be exhausted.
const ROUGH_BISECTIONS: usize = 6;

/// A problem with fewer products a pass is computed in f64 from the start. Tests begin in f32 with less.
const SMALL: usize = if cfg!(test) { 1 << 10 } else { 1 << 24 };

/// The gradient at which f64 takes over: rounding errors of f32 are multiplied by C.
const ROUGH_TOLERANCE: f64 = 1e-3;

impl Machines<'_> {
    /// Fits every machine, each from its own start. `poll` is called after every block of rows, with the number of passes so far.
    pub fn fit(
        &self,
        machines: &[Machine],
        starts: Vec<Vec<f64>>,
        max_iterations: usize,
        tolerance: f64,
        mut poll: impl FnMut(usize) -> Result<(), EvalError>,
    ) -> Result<Vec<Fit>, EvalError> {
        let rough = Limits {
            max_iterations,
            tolerance: tolerance.max(ROUGH_TOLERANCE),
            bisections: ROUGH_BISECTIONS,
        };
        let exact = Limits {
            max_iterations,
            tolerance,
            bisections: ALL_BISECTIONS,
        };
        let mut searches: Vec<Lbfgs> = starts.into_iter().map(|start| Lbfgs::new(start, rough)).collect();
        let products = self.input.len() * self.input.width() * machines.len();
        let mut passes = 0;
        if products >= SMALL {
            self.minimise::<f32>(machines, &mut searches, &mut passes, &mut poll)?;
        }
        searches.iter_mut().for_each(|search| search.resume(exact));
        self.minimise::<f64>(machines, &mut searches, &mut passes, &mut poll)?;
        let fit = |search: Lbfgs| Fit {
            iterations: search.iterations(),
            converged: search.has_converged(),
            parameters: search.into_minimum(),
        };
        Ok(searches.into_iter().map(fit).collect())
    }

    fn minimise<T: Float>(
        &self,
        machines: &[Machine],
        searches: &mut [Lbfgs],
        passes: &mut usize,
        poll: &mut impl FnMut(usize) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut workspace = Workspace::default();
        loop {
            let running: Vec<usize> = (0..machines.len())
                .filter(|&at| searches[at].status() == Status::Running)
                .collect();
            if running.is_empty() {
                return Ok(());
            }
            let active: Vec<Machine> = running.iter().map(|&at| machines[at]).collect();
            let points: Vec<&[f64]> = running.iter().map(|&at| searches[at].point()).collect();
            let results = self.evaluate::<T>(&active, &points, &mut workspace, &mut || poll(*passes))?;
            *passes += 1;
            for (at, (value, gradient)) in running.into_iter().zip(results) {
                searches[at].tell(value, gradient);
            }
        }
    }

    /// Objective and gradient of every machine at its point.
    fn evaluate<T: Float>(
        &self,
        machines: &[Machine],
        points: &[&[f64]],
        workspace: &mut Workspace<T>,
        poll: &mut dyn FnMut() -> Result<(), EvalError>,
    ) -> Result<Vec<(f64, Vec<f64>)>, EvalError> {
        let width = self.input.width();
        let weight: Vec<f64> = points.iter().flat_map(|point| &point[..width]).copied().collect();
        let bias: Vec<f64> = points.iter().map(|point| point[width]).collect();
        let hinge = Hinge { rows: self, machines };
        let classifier = Linear {
            weight: &weight,
            bias: &bias,
        };
        let Gradient { losses, weight, bias } = gradient::<T>(self.input, classifier, &hinge, workspace, |_| poll())?;
        let mut results = Vec::with_capacity(points.len());
        for (at, point) in points.iter().enumerate() {
            let penalty: f64 = point.iter().map(|w| w * w).sum();
            let mut gradient = weight[at * width..(at + 1) * width].to_vec();
            gradient.push(bias[at]);
            gradient.iter_mut().zip(*point).for_each(|(g, w)| *g += w);
            results.push((0.5 * penalty + losses[at], gradient));
        }
        Ok(results)
    }
}

/// The weighted squared hinge of every machine's scores.
struct Hinge<'a> {
    rows: &'a Machines<'a>,
    machines: &'a [Machine],
}

impl Loss for Hinge<'_> {
    fn derive<T: Float>(&self, rows: Range<usize>, scores: &mut [T], sums: &mut [f64]) {
        let classes = self.rows.classes;
        for (row, scores) in rows.zip(scores.chunks_exact_mut(self.machines.len())) {
            let positive = &self.rows.positive[row * classes..][..classes];
            let folds = &self.rows.folds[row * classes..][..classes];
            for ((machine, score), sum) in self.machines.iter().zip(scores).zip(&mut *sums) {
                let (sign, weight) = match positive[machine.class] {
                    true => (1.0, self.rows.positive_weight),
                    false => (-1.0, 1.0),
                };
                let missing = 1.0 - sign * score.to_f64();
                let excluded = machine.without_fold == Some(folds[machine.class]);
                // A NaN is not excluded, so that it does not look like a perfect score.
                if excluded || missing <= 0.0 {
                    *score = T::default();
                } else {
                    let weight = machine.cost * weight;
                    *sum += weight * missing * missing;
                    *score = T::of(-2.0 * weight * missing * sign);
                }
            }
        }
    }

    fn sums(&self) -> usize {
        self.machines.len()
    }
}
