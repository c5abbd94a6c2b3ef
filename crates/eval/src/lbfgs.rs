//! L-BFGS optimiser for smooth convex functions (Nocedal and Wright, Numerical Optimization, algorithm 7.5), in f64.
//!
//! Independent of features and classes. The line search brackets and bisects until the weak Wolfe conditions hold (Lewis and
//! Overton, 2013): short code, no failures on a smooth function, and always positive curvature.

use std::collections::VecDeque;

/// Stopping criteria.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Maximum number of steps.
    pub max_iterations: usize,
    /// Converged when no component of the gradient is larger than this.
    pub tolerance: f64,
}

/// Result of [`minimise`].
#[derive(Clone, Debug)]
pub(crate) struct Minimum {
    pub x: Vec<f64>,
    pub value: f64,
    pub iterations: usize,
    /// Whether the gradient is within the tolerance, or close to it and no lower value is representable in f64.
    pub converged: bool,
}

/// Number of (step, gradient change) pairs in the history.
const HISTORY: usize = 10;

/// Maximum number of trial steps of a line search; bisection has exhausted the 53 bits of the mantissa by then.
const TRIALS: usize = 60;

/// Minimises `function`, which returns its value and gradient, starting at `x`.
pub(crate) fn minimise(mut x: Vec<f64>, limits: Limits, function: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Minimum {
    let (mut value, mut gradient) = function(&x);
    let mut history = VecDeque::with_capacity(HISTORY);
    for iterations in 0..limits.max_iterations {
        if largest(&gradient) <= limits.tolerance {
            return Minimum {
                x,
                value,
                iterations,
                converged: true,
            };
        }
        let mut direction = descent(&gradient, &history);
        if dot(&direction, &gradient) >= 0.0 {
            // Due to rounding the direction is not a descent direction: restart with steepest descent.
            history.clear();
            direction = descent(&gradient, &history);
        }
        let Some(step) = line_search(&x, value, &gradient, &direction, &function) else {
            // No step decreases the value any more: the precision of f64 is exhausted, which happens only close to the minimum.
            let converged = largest(&gradient) <= 100.0 * limits.tolerance;
            return Minimum {
                x,
                value,
                iterations,
                converged,
            };
        };
        let moved: Vec<f64> = step.x.iter().zip(&x).map(|(new, old)| new - old).collect();
        let changed: Vec<f64> = step
            .gradient
            .iter()
            .zip(&gradient)
            .map(|(new, old)| new - old)
            .collect();
        let curvature = dot(&moved, &changed);
        if curvature > f64::EPSILON * dot(&changed, &changed) {
            if history.len() == HISTORY {
                history.pop_front();
            }
            history.push_back(Pair {
                moved,
                changed,
                curvature,
            });
        }
        (x, value, gradient) = (step.x, step.value, step.gradient);
    }
    let converged = largest(&gradient) <= limits.tolerance;
    Minimum {
        x,
        value,
        iterations: limits.max_iterations,
        converged,
    }
}

struct Pair {
    moved: Vec<f64>,
    changed: Vec<f64>,
    curvature: f64,
}

struct Point {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
fn descent(gradient: &[f64], history: &VecDeque<Pair>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let Some(last) = history.back() else {
        // Without curvature the scale is unknown: the first step has at most length 1, as in PyTorch.
        let scale = 1.0 / gradient.iter().map(|g| g.abs()).sum::<f64>().max(1.0);
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

/// A point along `direction` that satisfies the weak Wolfe conditions; `None` if no lower value is representable in f64.
fn line_search(
    x: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
    function: &impl Fn(&[f64]) -> (f64, Vec<f64>),
) -> Option<Point> {
    let directional = dot(gradient, direction);
    let (mut low, mut high, mut step) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..TRIALS {
        let mut trial = x.to_vec();
        add_scaled(&mut trial, step, direction);
        let (new_value, new_gradient) = function(&trial);
        // A NaN value fails this comparison and shortens the step.
        let low_enough = new_value <= value + 1e-4 * step * directional;
        if !low_enough {
            high = step;
        } else if dot(&new_gradient, direction) < 0.9 * directional {
            low = step;
        } else {
            return (new_value < value).then_some(Point {
                x: trial,
                value: new_value,
                gradient: new_gradient,
            });
        }
        step = if high.is_finite() {
            0.5 * (low + high)
        } else {
            2.0 * low
        };
    }
    None
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
    };

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
}
