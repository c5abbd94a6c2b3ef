//! Maps: places of rows in the plane, by principal components and by t-SNE (van der Maaten and Hinton, 2008).
//!
//! Both are deterministic: PCA starts from fixed directions and t-SNE from PCA. t-SNE is exact, so its cost grows with the square of
//! the number of rows: some thousand rows at most.

use rayon::prelude::*;

/// Steps of the power iteration of PCA; a map needs few digits.
const POWER_STEPS: usize = 100;

/// Steps of t-SNE in all, and those with exaggerated attraction.
const STEPS: usize = 500;
const EXAGGERATED: usize = 150;
/// The exaggeration.
const EXAGGERATION: f32 = 12.0;

/// Neighbours that a row of t-SNE has in effect, at most.
const PERPLEXITY: f64 = 30.0;

/// The rows `[N, width]` projected on their first two principal components, scaled so that the larger range is [0, 1]. The sign of
/// a component is that of its largest coefficient, made positive.
///
/// # Panics
///
/// If the length of `rows` is not a multiple of `width`, or `width` is 0.
pub fn pca_map(rows: &[f32], width: usize) -> Vec<[f32; 2]> {
    assert!(
        width > 0 && rows.len().is_multiple_of(width),
        "{} values in rows of {width}",
        rows.len()
    );
    let count = rows.len() / width;
    let mut mean = vec![0.0f64; width];
    for row in rows.chunks_exact(width) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(sum, &value)| *sum += f64::from(value) / count as f64);
    }
    let centred: Vec<f64> = rows
        .iter()
        .enumerate()
        .map(|(at, &value)| f64::from(value) - mean[at % width])
        .collect();
    let first = component(&centred, width, None);
    let second = component(&centred, width, Some(&first));
    let places = centred
        .chunks_exact(width)
        .map(|row| [dot(row, &first) as f32, dot(row, &second) as f32]);
    scaled(places.collect())
}

/// The direction of the largest variance, orthogonal to `other`; zeros if nothing varies.
fn component(centred: &[f64], width: usize, other: Option<&[f64]>) -> Vec<f64> {
    // Any fixed start that is orthogonal to nothing in practice.
    let mut direction: Vec<f64> = (0..width).map(|at| 1.0 + 0.5 * (1.7 * at as f64).sin()).collect();
    for _ in 0..POWER_STEPS {
        if let Some(other) = other {
            let along = dot(&direction, other);
            direction
                .iter_mut()
                .zip(other)
                .for_each(|(value, other)| *value -= along * other);
        }
        let mut next = vec![0.0; width];
        for row in centred.chunks_exact(width) {
            let along = dot(row, &direction);
            next.iter_mut().zip(row).for_each(|(sum, value)| *sum += along * value);
        }
        if let Some(other) = other {
            let along = dot(&next, other);
            next.iter_mut()
                .zip(other)
                .for_each(|(value, other)| *value -= along * other);
        }
        let length = dot(&next, &next).sqrt();
        if !(length.is_finite() && length > 0.0) {
            return vec![0.0; width];
        }
        next.iter_mut().for_each(|value| *value /= length);
        direction = next;
    }
    let largest = direction.iter().copied().fold(
        0.0,
        |most: f64, value| if value.abs() > most.abs() { value } else { most },
    );
    if largest < 0.0 {
        direction.iter_mut().for_each(|value| *value = -*value);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Moved and scaled into [0, 1]²; one scale for both directions, the smaller range centred. Non-finite places are in the middle.
fn scaled(places: Vec<[f32; 2]>) -> Vec<[f32; 2]> {
    let range = |axis: usize| {
        let finite = places.iter().map(|place| place[axis]).filter(|value| value.is_finite());
        finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let ranges = [range(0), range(1)];
    let largest = ranges.iter().map(|(low, high)| high - low).fold(0.0, f32::max);
    let scale = if largest.is_finite() && largest > 0.0 {
        1.0 / largest
    } else {
        0.0
    };
    let placed = |value: f32, (low, high): (f32, f32)| {
        let place = 0.5 + (value - (low + high) / 2.0) * scale;
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.5 }
    };
    places
        .iter()
        .map(|place| [placed(place[0], ranges[0]), placed(place[1], ranges[1])])
        .collect()
}

/// The places of rows `[N, width]` by t-SNE on their directions (rows scaled to length 1), scaled into [0, 1]². With fewer than four rows,
/// those of [`pca_map`].
///
/// # Panics
///
/// As [`pca_map`].
pub fn tsne_map(rows: &[f32], width: usize) -> Vec<[f32; 2]> {
    let start = pca_map(rows, width);
    let count = start.len();
    if count < 4 {
        return start;
    }
    let attraction = attraction(&distances(rows, width), count);
    // Tiny, so that the first steps decide; equal rows are moved apart.
    let nudge = |at: usize, way: f64| 1e-5 * ((at as f64 + 1.0) * way).sin() as f32;
    let mut places: Vec<[f32; 2]> = (start.iter().enumerate())
        .map(|(at, [x, y])| {
            [
                1e-3 * (x - 0.5) + nudge(at, 12.9898),
                1e-3 * (y - 0.5) + nudge(at, 78.233),
            ]
        })
        .collect();
    let (mut speed, mut gain) = (vec![[0.0f32; 2]; count], vec![[1.0f32; 2]; count]);
    let rate = (count as f32 / EXAGGERATION / 4.0).max(50.0);
    for step in 0..STEPS {
        let (factor, momentum) = if step < EXAGGERATED {
            (EXAGGERATION, 0.5)
        } else {
            (1.0, 0.8)
        };
        let gradient = gradient(&attraction, &places, factor);
        let rows = places.iter_mut().zip(&mut speed).zip(&mut gain).zip(&gradient);
        for (((place, speed), gain), gradient) in rows {
            for axis in [0, 1] {
                let same = (gradient[axis] > 0.0) == (speed[axis] > 0.0);
                gain[axis] = if same {
                    (gain[axis] * 0.8).max(0.01)
                } else {
                    gain[axis] + 0.2
                };
                speed[axis] = momentum * speed[axis] - rate * gain[axis] * gradient[axis];
                place[axis] += speed[axis];
            }
        }
    }
    scaled(places)
}

/// Squared distances of all pairs of rows of length 1, `[N, N]`.
fn distances(rows: &[f32], width: usize) -> Vec<f32> {
    let unit: Vec<Vec<f32>> = (rows.chunks_exact(width))
        .map(|row| {
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
            row.iter().map(|value| value * scale).collect()
        })
        .collect();
    let of_row = |a: &Vec<f32>| -> Vec<f32> {
        let to = |b: &Vec<f32>| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        unit.iter().map(to).collect()
    };
    unit.par_iter().map(of_row).collect::<Vec<_>>().concat()
}

/// The symmetric probabilities `[N, N]` that two rows are neighbours: Gaussians whose widths give each row the same perplexity.
fn attraction(distances: &[f32], count: usize) -> Vec<f32> {
    let perplexity = PERPLEXITY.min((count - 1) as f64 / 3.0).max(1.0);
    let of_row = |own: usize| -> Vec<f64> {
        let row = &distances[own * count..(own + 1) * count];
        let nearest = row.iter().enumerate().filter(|(at, _)| *at != own);
        let nearest = nearest.fold(f32::INFINITY, |least, (_, &value)| least.min(value));
        let (mut low, mut high, mut precision) = (0.0f64, f64::INFINITY, 1.0f64);
        let mut weights = vec![0.0; count];
        for _ in 0..60 {
            let (mut sum, mut moment) = (0.0, 0.0);
            for (at, &distance) in row.iter().enumerate() {
                // Relative to the nearest: the largest weight is 1.
                let more = f64::from(distance - nearest);
                weights[at] = if at == own { 0.0 } else { (-precision * more).exp() };
                sum += weights[at];
                moment += weights[at] * more;
            }
            let entropy = sum.ln() + precision * moment / sum;
            weights.iter_mut().for_each(|weight| *weight /= sum);
            let difference = entropy - perplexity.ln();
            if difference.abs() < 1e-5 {
                break;
            }
            if difference > 0.0 {
                low = precision;
                precision = if high.is_finite() {
                    (low + high) / 2.0
                } else {
                    precision * 2.0
                };
            } else {
                high = precision;
                precision = (low + high) / 2.0;
            }
        }
        weights
    };
    let conditional: Vec<Vec<f64>> = (0..count).into_par_iter().map(of_row).collect();
    let mean =
        |at: usize| (conditional[at / count][at % count] + conditional[at % count][at / count]) / (2 * count) as f64;
    (0..count * count).map(|at| mean(at) as f32).collect()
}

/// The gradient of the Kullback-Leibler divergence. Each row's sums are computed by one thread in a fixed order, so the result does
/// not depend on the number of threads.
fn gradient(attraction: &[f32], places: &[[f32; 2]], factor: f32) -> Vec<[f32; 2]> {
    let count = places.len();
    // Attraction, repulsion, and the row's part of the normaliser.
    let sums: Vec<([f32; 2], [f32; 2], f32)> = (places.par_iter().enumerate())
        .map(|(own, &[x, y])| {
            let (mut pull, mut push, mut normaliser) = ([0.0f32; 2], [0.0f32; 2], 0.0f32);
            for (p, [other_x, other_y]) in attraction[own * count..(own + 1) * count].iter().zip(places) {
                let (dx, dy) = (x - other_x, y - other_y);
                let near = 1.0 / (1.0 + dx * dx + dy * dy);
                normaliser += near;
                let (attract, repel) = (p * near, near * near);
                pull = [pull[0] + attract * dx, pull[1] + attract * dy];
                push = [push[0] + repel * dx, push[1] + repel * dy];
            }
            // Without the row itself.
            (pull, push, normaliser - 1.0)
        })
        .collect();
    let normaliser = sums.iter().map(|(_, _, part)| f64::from(*part)).sum::<f64>().max(1e-12) as f32;
    let total = |(pull, push, _): &([f32; 2], [f32; 2], f32)| {
        [0, 1].map(|axis| 4.0 * (factor * pull[axis] - push[axis] / normaliser))
    };
    sums.iter().map(total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` rows of `width` around each of three directions.
    fn groups(count: usize, width: usize) -> Vec<f32> {
        let value = |row: usize, column: usize| {
            let group = row / count;
            let base = if column % 3 == group { 3.0 } else { 0.0 };
            base + 0.4 * ((row * 37 + column * 101) as f32 * 0.7).sin()
        };
        (0..3 * count * width).map(|at| value(at / width, at % width)).collect()
    }

    #[test]
    fn pca_finds_the_directions_of_the_largest_variance() {
        // Variance 4 along (0.6, 0.8, 0), 1 along the third axis, none elsewhere.
        let rows: Vec<f32> = (0..200)
            .flat_map(|at| {
                let (a, b) = (2.0 * (at as f32 * 0.37).sin(), (at as f32 * 1.13).cos());
                [0.6 * a + 5.0, 0.8 * a, b]
            })
            .collect();
        let map = pca_map(&rows, 3);
        let x = |at: usize| (0.6 * (rows[3 * at] - 5.0) + 0.8 * rows[3 * at + 1]) / 4.0 + 0.5;
        for (at, place) in map.iter().enumerate() {
            assert!((place[0] - x(at)).abs() < 0.01, "{at}: {place:?}, not {}", x(at));
            assert!((0.2..=0.8).contains(&place[1]), "one scale for both: {place:?}");
        }
    }

    #[test]
    fn tsne_separates_groups_and_is_the_same_every_time() {
        let rows = groups(30, 12);
        let map = tsne_map(&rows, 12);
        assert_eq!(map, tsne_map(&rows, 12));
        let group = |place: &[f32; 2]| {
            let near = |other: &&[f32; 2]| (place[0] - other[0]).powi(2) + (place[1] - other[1]).powi(2);
            let mut order: Vec<usize> = (0..map.len()).collect();
            order.sort_by(|&a, &b| near(&&map[a]).total_cmp(&near(&&map[b])));
            order[1] / 30
        };
        let wrong = map
            .iter()
            .enumerate()
            .filter(|(at, place)| group(place) != at / 30)
            .count();
        assert_eq!(wrong, 0, "the nearest row is of the same group");
        assert!(map.iter().flatten().all(|value| (0.0..=1.0).contains(value)));
    }

    #[test]
    fn degenerate_rows_have_places() {
        for rows in [vec![], vec![1.0; 4], vec![1.0; 40], vec![f32::NAN; 40]] {
            for map in [pca_map(&rows, 4), tsne_map(&rows, 4)] {
                assert_eq!(map.len(), rows.len() / 4);
                assert!(map.iter().flatten().all(|value| (0.0..=1.0).contains(value)), "{map:?}");
            }
        }
    }
}
