//! COCO's rule of which pixels a polygon covers.
//!
//! The outline is walked on a grid of a fifth of a pixel; where it passes the middle of a column, the pixels below change. This is
//! `rleFrPoly` of COCO's `maskApi.c`, with the same rounding, so that areas agree to the pixel.

use super::MaskError;

/// Steps a pixel.
const SCALE: f64 = 5.0;

/// Largest magnitude of a coordinate in pixels: an annotation slip beyond it would cost time, not change the image.
const MAX_COORDINATE: f64 = 1e6;

/// Longest outline of all polygons of an object, in steps.
pub(super) const MAX_OUTLINE: u64 = 1 << 25;

/// Runs of the pixels of one polygon, `[x1, y1, x2, y2, …]`. Each step of the outline is taken from `budget`.
pub(super) fn outline_runs(polygon: &[f64], height: u32, width: u32, budget: &mut u64) -> Result<Vec<u64>, MaskError> {
    let numbers = polygon.len();
    if numbers < 6 || !numbers.is_multiple_of(2) {
        return Err(MaskError::Points { numbers });
    }
    if let Some(&value) = polygon
        .iter()
        .find(|value| value.is_nan() || value.abs() > MAX_COORDINATE)
    {
        return Err(MaskError::Coordinate {
            value,
            limit: MAX_COORDINATE,
        });
    }
    let points: Vec<[i64; 2]> = polygon.as_chunks::<2>().0.iter().map(|point| point.map(grid)).collect();
    let edges = || points.iter().zip(points.iter().cycle().skip(1));
    // Before the walk, so that a long outline costs nothing.
    for (from, to) in edges() {
        let steps = from[0].abs_diff(to[0]).max(from[1].abs_diff(to[1])) + 1;
        *budget = budget.checked_sub(steps).ok_or(MaskError::Outline {
            limit: MAX_OUTLINE / SCALE as u64,
        })?;
    }
    let mut crossings = Vec::new();
    let mut before: Option<[i64; 2]> = None;
    for (&from, &to) in edges() {
        walk(from, to, |point| {
            if let Some(before) = before.replace(point) {
                crossings.extend(crossing(before, point, height, width));
            }
        });
    }
    crossings.sort_unstable();
    crossings.push(u64::from(height) * u64::from(width));
    let mut at = 0;
    Ok(crossings
        .into_iter()
        .map(|next| next - std::mem::replace(&mut at, next))
        .collect())
}

/// A coordinate on the fine grid, rounded as C's conversion to an integer does: towards zero.
fn grid(value: f64) -> i64 {
    (SCALE * value + 0.5) as i64
}

/// Calls `visit` with every point between two, both included: one for each step along the longer axis.
fn walk(from: [i64; 2], to: [i64; 2], mut visit: impl FnMut([i64; 2])) {
    let (dx, dy) = (from[0].abs_diff(to[0]) as i64, from[1].abs_diff(to[1]) as i64);
    let (long, short, length) = if dx >= dy { (0, 1, dx) } else { (1, 0, dy) };
    // The walk is computed from the lower end, so that both directions visit the same points.
    let flipped = from[long] > to[long];
    let (start, end) = if flipped { (to, from) } else { (from, to) };
    let slope = match length {
        0 => 0.0,
        _ => (end[short] - start[short]) as f64 / length as f64,
    };
    for step in 0..=length {
        let step = if flipped { length - step } else { step };
        let mut point = [0; 2];
        point[long] = start[long] + step;
        point[short] = (start[short] as f64 + slope * step as f64 + 0.5) as i64;
        visit(point);
    }
}

/// Number of the pixel (along the columns) from which on the polygon's inside changes, if the step passes the middle of a column.
fn crossing([u0, v0]: [i64; 2], [u, v]: [i64; 2], height: u32, width: u32) -> Option<u64> {
    if u == u0 {
        return None;
    }
    let fine = |value: i64| (value as f64 + 0.5) / SCALE - 0.5;
    let x = fine(if u < u0 { u } else { u - 1 });
    if x.floor() != x || x < 0.0 || x > f64::from(width) - 1.0 {
        return None;
    }
    let y = fine(v.min(v0)).clamp(0.0, f64::from(height)).ceil();
    Some(x as u64 * u64::from(height) + y as u64)
}
