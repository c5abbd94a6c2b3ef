//! L-BFGS optimiser for smooth convex functions (Nocedal and Wright, Numerical Optimization, algorithm 7.5), in f64.
//!
//! Independent of features and classes. The caller evaluates the function: it asks for a point and tells the value and gradient
//! there, so that several functions can be evaluated in one pass over the data, and a pass can fail or be stopped. The line search
//! brackets and bisects until the weak Wolfe conditions hold (Lewis and Overton, 2013): short code, no failures on a smooth
//! function, and always positive curvature.

use std::collections::VecDeque;

/// Stopping criteria.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Maximum number of steps.
    pub max_iterations: usize,
    /// Converged when no component of the gradient is larger than this.
    pub tolerance: f64,
    /// Maximum number of times that a line search shortens its step.
    pub bisections: usize,
}

/// Bisections that exhaust the 53 bits of the mantissa.
pub(crate) const ALL_BISECTIONS: usize = 60;

/// Steps without any decrease after which the precision is exhausted.
const STALLED: usize = 5;

/// Number of (step, gradient change) pairs in the history.
const HISTORY: usize = 10;

/// Whether a minimisation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It waits for the function at [`Lbfgs::point`].
    Running,
    /// The gradient is within the tolerance.
    Converged,
    /// Neither values nor gradients decrease any more: the precision of the function is exhausted, which happens only close to the minimum.
    Exhausted,
    /// The number of steps has reached its limit.
    Limited,
}

/// A minimisation in progress.
#[derive(Clone, Debug)]
pub(crate) struct Lbfgs {
    limits: Limits,
    status: Status,
    iterations: usize,
    history: VecDeque<Pair>,
    /// The best point so far, with its value and gradient once they are known.
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    search: Option<Search>,
    /// The smallest gradient so far, by its largest component.
    flattest: f64,
    /// Steps since the value or the gradient decreased.
    stalled: usize,
    /// Where the function is wanted, during a search.
    trial: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Pair {
    moved: Vec<f64>,
    changed: Vec<f64>,
    curvature: f64,
}

/// A line search in progress.
#[derive(Clone, Debug)]
struct Search {
    direction: Vec<f64>,
    /// Derivative of the function along the direction.
    slope: f64,
    low: f64,
    high: f64,
    step: f64,
    doubled: usize,
    shortened: usize,
}

impl Lbfgs {
    /// Starts at `x`.
    pub fn new(x: Vec<f64>, limits: Limits) -> Self {
        Self {
            limits,
            status: Status::Running,
            iterations: 0,
            history: VecDeque::with_capacity(HISTORY),
            at: x,
            value: f64::NAN,
            gradient: Vec::new(),
            search: None,
            flattest: f64::INFINITY,
            stalled: 0,
            trial: Vec::new(),
        }
    }

    /// Continues from the best point with other limits and a function that differs slightly: it is wanted there once more.
    pub fn resume(&mut self, limits: Limits) {
        self.limits = limits;
        self.status = Status::Running;
        self.search = None;
        (self.flattest, self.stalled) = (f64::INFINITY, 0);
    }

    pub fn status(&self) -> Status {
        self.status
    }

    /// Number of steps so far.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Where the function is wanted; the best point when the minimisation has ended.
    pub fn point(&self) -> &[f64] {
        match &self.search {
            Some(_) => &self.trial,
            None => &self.at,
        }
    }

    /// The value at the best point.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Whether the gradient is within the tolerance, or close to it and no lower value is representable.
    pub fn has_converged(&self) -> bool {
        match self.status {
            Status::Converged => true,
            Status::Exhausted => largest(&self.gradient) <= 100.0 * self.limits.tolerance,
            Status::Running | Status::Limited => false,
        }
    }

    /// The best point.
    pub fn into_minimum(self) -> Vec<f64> {
        self.at
    }

    /// Takes the value and the gradient at [`Self::point`].
    pub fn tell(&mut self, value: f64, gradient: Vec<f64>) {
        let Some(mut search) = self.search.take() else {
            (self.value, self.gradient) = (value, gradient);
            return self.next_step();
        };
        let slope = dot(&gradient, &search.direction);
        // Close to the minimum, values differ by rounding errors alone; there the slopes decide (Hager and Zhang, 2005). A NaN value
        // fails these comparisons and shortens the step.
        let level = value <= self.value + 4.0 * f64::EPSILON * self.value.abs() && slope <= 0.9998 * -search.slope;
        let low_enough = level || value <= self.value + 1e-4 * search.step * search.slope;
        if low_enough && slope >= 0.9 * search.slope {
            let steepest = largest(&gradient);
            if value < self.value || steepest < self.flattest {
                self.stalled = 0;
            } else {
                self.stalled += 1;
                if self.stalled > STALLED {
                    self.status = Status::Exhausted;
                    return;
                }
            }
            self.flattest = self.flattest.min(steepest);
            self.remember(&gradient);
            std::mem::swap(&mut self.at, &mut self.trial);
            (self.value, self.gradient) = (value, gradient);
            self.iterations += 1;
            return self.next_step();
        }
        if low_enough {
            search.low = search.step;
            search.doubled += 1;
        } else {
            search.high = search.step;
            search.shortened += 1;
        }
        search.step = if search.high.is_finite() {
            0.5 * (search.low + search.high)
        } else {
            2.0 * search.low
        };
        self.try_step(search);
    }

    /// Adds the accepted step to the history.
    fn remember(&mut self, gradient: &[f64]) {
        let difference = |new: &[f64], old: &[f64]| new.iter().zip(old).map(|(new, old)| new - old).collect();
        let moved: Vec<f64> = difference(&self.trial, &self.at);
        let changed: Vec<f64> = difference(gradient, &self.gradient);
        let curvature = dot(&moved, &changed);
        if curvature > f64::EPSILON * dot(&changed, &changed) {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(Pair {
                moved,
                changed,
                curvature,
            });
        }
    }

    /// Ends the minimisation or begins a line search.
    fn next_step(&mut self) {
        if largest(&self.gradient) <= self.limits.tolerance {
            self.status = Status::Converged;
            return;
        }
        if self.iterations >= self.limits.max_iterations {
            self.status = Status::Limited;
            return;
        }
        let mut direction = descent(&self.gradient, &self.history);
        if dot(&direction, &self.gradient) >= 0.0 {
            // Due to rounding the direction is not a descent direction: restart with steepest descent.
            self.history.clear();
            direction = descent(&self.gradient, &self.history);
        }
        let slope = dot(&self.gradient, &direction);
        self.try_step(Search {
            direction,
            slope,
            low: 0.0,
            high: f64::INFINITY,
            step: 1.0,
            doubled: 0,
            shortened: 0,
        });
    }

    fn try_step(&mut self, search: Search) {
        if search.shortened > self.limits.bisections || search.doubled > ALL_BISECTIONS {
            self.status = Status::Exhausted;
            return;
        }
        self.trial.clone_from(&self.at);
        add_scaled(&mut self.trial, search.step, &search.direction);
        self.search = Some(search);
    }
}

/// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
fn descent(gradient: &[f64], history: &VecDeque<Pair>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let Some(last) = history.back() else {
        // Without curvature the scale is unknown: the first step has at most length 1, as in SciPy.
        let scale = 1.0 / dot(gradient, gradient).sqrt().max(1.0);
        q.iter_mut().for_each(|q| *q *= scale);
        return q;
    };
    let mut weights = Vec::with_capacity(history.len());
    for pair in history.iter().rev() {
        let weight = dot(&pair.moved, &q) / pair.curvature;
        add_scaled(&mut q, -weight, &pair.changed);
        weights.push(weight);
    }
    let scale = last.curvature / dot(&last.changed, &last.changed);
    q.iter_mut().for_each(|q| *q *= scale);
    for (pair, weight) in history.iter().zip(weights.into_iter().rev()) {
        let correction = dot(&pair.changed, &q) / pair.curvature;
        add_scaled(&mut q, weight - correction, &pair.moved);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

fn largest(gradient: &[f64]) -> f64 {
    // `f64::max` would ignore NaN and report a diverged function as converged.
    gradient
        .iter()
        .fold(0.0, |most, g| if g.abs() > most || g.is_nan() { g.abs() } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_iterations: 500,
        tolerance: 1e-9,
        bisections: ALL_BISECTIONS,
    };

    #[derive(Debug)]
    struct Minimum {
        x: Vec<f64>,
        iterations: usize,
        converged: bool,
    }

    fn minimise(x: Vec<f64>, limits: Limits, function: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Minimum {
        let mut search = Lbfgs::new(x, limits);
        while search.status() == Status::Running {
            let (value, gradient) = function(search.point());
            search.tell(value, gradient);
        }
        Minimum {
            iterations: search.iterations(),
            converged: search.has_converged(),
            x: search.into_minimum(),
        }
    }

    #[test]
    fn an_ill_conditioned_quadratic_is_solved() {
        let weight = |k: usize| 10f64.powi(k as i32 % 5);
        let quadratic = |x: &[f64]| {
            let value = x
                .iter()
                .enumerate()
                .map(|(k, x)| 0.5 * weight(k) * (x - k as f64).powi(2))
                .sum();
            (
                value,
                x.iter().enumerate().map(|(k, x)| weight(k) * (x - k as f64)).collect(),
            )
        };
        let minimum = minimise(vec![100.0; 12], LIMITS, quadratic);
        assert!(minimum.converged, "{minimum:?}");
        assert!(
            minimum.x.iter().enumerate().all(|(k, x)| (x - k as f64).abs() < 1e-8),
            "{minimum:?}"
        );
    }

    #[test]
    fn a_flat_valley_that_needs_long_steps_is_solved() {
        // sqrt(1 + x²) is nearly linear far out, where a unit step is tiny.
        let minimum = minimise(vec![1e6], LIMITS, |x| {
            let root = (1.0 + x[0] * x[0]).sqrt();
            (root, vec![x[0] / root])
        });
        assert!(
            minimum.converged && minimum.x[0].abs() < 1e-8 && minimum.iterations < 100,
            "{minimum:?}"
        );
    }

    #[test]
    fn it_honours_the_start_and_the_limit_on_steps() {
        let bowl = |x: &[f64]| (x[0] * x[0], vec![2.0 * x[0]]);
        assert_eq!(minimise(vec![0.0], LIMITS, bowl).iterations, 0);
        let early = minimise(
            vec![9.0],
            Limits {
                max_iterations: 1,
                ..LIMITS
            },
            bowl,
        );
        assert_eq!((early.iterations, early.converged), (1, false));
    }

    #[test]
    fn a_nan_function_is_not_reported_as_converged() {
        assert!(!minimise(vec![1.0, 2.0], LIMITS, |_| (f64::NAN, vec![f64::NAN, 0.0])).converged);
    }

    #[test]
    fn a_rough_function_is_left_early_and_the_exact_one_finishes() {
        let exact = |x: &[f64]| ((x[0] - 0.3).powi(2), vec![2.0 * (x[0] - 0.3)]);
        // Values in steps of 1e-3 never decrease near the minimum.
        let steps = |value: f64| (value * 1e3).round() / 1e3;
        let rough = |x: &[f64]| (steps(exact(x).0), vec![steps(exact(x).1[0]) + 5e-4]);
        let mut search = Lbfgs::new(
            vec![7.0],
            Limits {
                bisections: 8,
                ..LIMITS
            },
        );
        while search.status() == Status::Running {
            let (value, gradient) = rough(search.point());
            search.tell(value, gradient);
        }
        assert_eq!((search.status(), search.has_converged()), (Status::Exhausted, false));
        search.resume(LIMITS);
        while search.status() == Status::Running {
            let (value, gradient) = exact(search.point());
            search.tell(value, gradient);
        }
        assert!(
            search.has_converged() && (search.point()[0] - 0.3).abs() < 1e-8,
            "{search:?}"
        );
    }
}
