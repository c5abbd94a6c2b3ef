//! CubeCL kernels of batch norm on [M, C], channels last: M = N·S rows of `columns` vectors of `W` channels.
//!
//! Sums over rows take two launches. In the first a cube of `lanes` × `teams` units sums a chunk of rows of `lanes` columns:
//! neighbouring lanes read neighbouring vectors, a team every `teams`-th row. In the second one cube per `lanes` columns combines
//! the chunks. Which unit adds which rows in which order depends only on the shape and the device: no atomics, and the same
//! bytes in every run.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

/// Sum of `mine` over the teams of a lane, as a tree reduction, for every unit of the lane.
///
/// `teams` is a power of two. Every unit of the cube must call this function. The first synchronisation is also the one that
/// an earlier call with the same memory needs.
#[cube]
fn add_teams<W: Size>(
    mine: Vector<f32, W>,
    shared: &mut SharedMemory<Vector<f32, W>>,
    #[comptime] lanes: usize,
    #[comptime] teams: usize,
) -> Vector<f32, W> {
    let lane = UNIT_POS_X as usize;
    let team = UNIT_POS_Y as usize;
    sync_cube();
    shared[team * lanes + lane] = mine;
    #[unroll]
    for level in 0..comptime!(teams.ilog2() as usize) {
        let half = comptime!(teams >> (level + 1));
        sync_cube();
        if team < half {
            shared[team * lanes + lane] = shared[team * lanes + lane] + shared[(team + half) * lanes + lane];
        }
    }
    sync_cube();
    shared[lane]
}

#[cube]
fn inverse_std<W: Size>(variance: Vector<f32, W>, epsilon: f32) -> Vector<f32, W> {
    Vector::<f32, W>::new(1.0f32) / (variance + Vector::<f32, W>::new(epsilon)).sqrt()
}

/// (x − mean) / σ · weight + bias.
#[cube]
fn normal<W: Size>(
    x: Vector<f32, W>,
    mean: Vector<f32, W>,
    scale: Vector<f32, W>,
    bias: Vector<f32, W>,
) -> Vector<f32, W> {
    (x - mean) * scale + bias
}

/// `values` where `by` is positive, else 0.
#[cube]
fn where_positive<W: Size>(values: Vector<f32, W>, by: Vector<f32, W>) -> Vector<f32, W> {
    let zero = Vector::<f32, W>::new(0.0f32);
    select_many(by.greater_than(zero), values, zero)
}

/// First pass of the statistics: mean and Σ(x − mean)² of each chunk, [chunks, 2, columns].
///
/// The sums are of differences from the chunk's first row, so that they remain accurate if the mean is large.
#[cube(launch, address_type = "dynamic")]
pub(super) fn channel_moments<W: Size>(
    x: &Array<Vector<f32, W>>,
    partials: &mut Array<Vector<f32, W>>,
    rows: usize,
    columns: usize,
    rows_per_chunk: usize,
    #[comptime] lanes: usize,
    #[comptime] teams: usize,
) {
    let column = CUBE_POS_X as usize * lanes + UNIT_POS_X as usize;
    let chunk = CUBE_POS_Y as usize;
    let start = chunk * rows_per_chunk;
    let end = select(start + rows_per_chunk < rows, start + rows_per_chunk, rows);
    let mut first = Vector::<f32, W>::new(0.0f32);
    let mut sum = Vector::<f32, W>::new(0.0f32);
    let mut squares = Vector::<f32, W>::new(0.0f32);
    if column < columns {
        first = x[start * columns + column];
        let mut row = start + UNIT_POS_Y as usize;
        while row < end {
            let difference = x[row * columns + column] - first;
            sum += difference;
            squares += difference * difference;
            row += teams;
        }
    }
    let mut shared = SharedMemory::<Vector<f32, W>>::new(comptime!(lanes * teams));
    let sum = add_teams::<W>(sum, &mut shared, lanes, teams);
    let squares = add_teams::<W>(squares, &mut shared, lanes, teams);
    if UNIT_POS_Y == 0 && column < columns {
        let mean = sum / Vector::<f32, W>::new(f32::cast_from(end - start));
        partials[2 * chunk * columns + column] = first + mean;
        partials[(2 * chunk + 1) * columns + column] = squares - sum * mean;
    }
}

/// Second pass of the statistics: mean and biased variance of each channel from those of the chunks.
#[cube(launch)]
pub(super) fn channel_statistics<W: Size>(
    partials: &Array<Vector<f32, W>>,
    mean: &mut Array<Vector<f32, W>>,
    variance: &mut Array<Vector<f32, W>>,
    rows: usize,
    columns: usize,
    rows_per_chunk: usize,
    chunks: usize,
    #[comptime] lanes: usize,
    #[comptime] teams: usize,
) {
    let column = CUBE_POS_X as usize * lanes + UNIT_POS_X as usize;
    let count = Vector::<f32, W>::new(f32::cast_from(rows));
    let mut shared = SharedMemory::<Vector<f32, W>>::new(comptime!(lanes * teams));
    let mut sum = Vector::<f32, W>::new(0.0f32);
    // The differences of the chunks' means from the first one's are summed, for the same reason as above.
    let mut first = Vector::<f32, W>::new(0.0f32);
    if column < columns {
        first = partials[column];
        let mut chunk = UNIT_POS_Y as usize;
        while chunk < chunks {
            let weight = rows_in(chunk, rows, rows_per_chunk);
            sum += (partials[2 * chunk * columns + column] - first) * Vector::<f32, W>::new(weight);
            chunk += teams;
        }
    }
    let average = first + add_teams::<W>(sum, &mut shared, lanes, teams) / count;
    let mut squares = Vector::<f32, W>::new(0.0f32);
    if column < columns {
        let mut chunk = UNIT_POS_Y as usize;
        while chunk < chunks {
            let weight = rows_in(chunk, rows, rows_per_chunk);
            let difference = partials[2 * chunk * columns + column] - average;
            squares +=
                partials[(2 * chunk + 1) * columns + column] + difference * difference * Vector::<f32, W>::new(weight);
            chunk += teams;
        }
    }
    let squares = add_teams::<W>(squares, &mut shared, lanes, teams);
    if UNIT_POS_Y == 0 && column < columns {
        mean[column] = average;
        variance[column] = squares / count;
    }
}

/// Rows of a chunk, as a number to multiply with.
#[cube]
fn rows_in(chunk: usize, rows: usize, rows_per_chunk: usize) -> f32 {
    let start = chunk * rows_per_chunk;
    f32::cast_from(select(start + rows_per_chunk < rows, rows_per_chunk, rows - start))
}

/// y = normal(x), and its ReLU if `relu`.
#[cube(launch, address_type = "dynamic")]
pub(super) fn channel_normalise<W: Size>(
    x: &Array<Vector<f32, W>>,
    mean: &Array<Vector<f32, W>>,
    variance: &Array<Vector<f32, W>>,
    weight: &Array<Vector<f32, W>>,
    bias: &Array<Vector<f32, W>>,
    y: &mut Array<Vector<f32, W>>,
    vectors: usize,
    columns: usize,
    epsilon: f32,
    #[comptime] relu: bool,
) {
    let at = ABSOLUTE_POS;
    if at < vectors {
        let column = at % columns;
        let scale = inverse_std::<W>(variance[column], epsilon) * weight[column];
        let value = normal::<W>(x[at], mean[column], scale, bias[column]);
        if relu {
            y[at] = where_positive::<W>(value, value);
        } else {
            y[at] = value;
        }
    }
}

/// y = max(normal(x) + residual, 0).
#[cube(launch, address_type = "dynamic")]
pub(super) fn channel_normalise_add<W: Size>(
    x: &Array<Vector<f32, W>>,
    residual: &Array<Vector<f32, W>>,
    mean: &Array<Vector<f32, W>>,
    variance: &Array<Vector<f32, W>>,
    weight: &Array<Vector<f32, W>>,
    bias: &Array<Vector<f32, W>>,
    y: &mut Array<Vector<f32, W>>,
    vectors: usize,
    columns: usize,
    epsilon: f32,
) {
    let at = ABSOLUTE_POS;
    if at < vectors {
        let column = at % columns;
        let scale = inverse_std::<W>(variance[column], epsilon) * weight[column];
        let value = normal::<W>(x[at], mean[column], scale, bias[column]) + residual[at];
        y[at] = where_positive::<W>(value, value);
    }
}

/// First pass of the gradients' sums: Σg and Σg·(x − mean) of each chunk, [chunks, 2, columns], with g = dy, masked by normal(x)
/// if `relu`.
#[cube(launch, address_type = "dynamic")]
pub(super) fn channel_gradient_sums<W: Size>(
    x: &Array<Vector<f32, W>>,
    dy: &Array<Vector<f32, W>>,
    mean: &Array<Vector<f32, W>>,
    variance: &Array<Vector<f32, W>>,
    weight: &Array<Vector<f32, W>>,
    bias: &Array<Vector<f32, W>>,
    partials: &mut Array<Vector<f32, W>>,
    rows: usize,
    columns: usize,
    rows_per_chunk: usize,
    epsilon: f32,
    #[comptime] relu: bool,
    #[comptime] lanes: usize,
    #[comptime] teams: usize,
) {
    let column = CUBE_POS_X as usize * lanes + UNIT_POS_X as usize;
    let chunk = CUBE_POS_Y as usize;
    let start = chunk * rows_per_chunk;
    let end = select(start + rows_per_chunk < rows, start + rows_per_chunk, rows);
    let mut sum = Vector::<f32, W>::new(0.0f32);
    let mut products = Vector::<f32, W>::new(0.0f32);
    if column < columns {
        let average = mean[column];
        let scale = inverse_std::<W>(variance[column], epsilon) * weight[column];
        let shift = bias[column];
        let mut row = start + UNIT_POS_Y as usize;
        while row < end {
            let value = x[row * columns + column];
            let mut gradient = dy[row * columns + column];
            if relu {
                gradient = where_positive::<W>(gradient, normal::<W>(value, average, scale, shift));
            }
            sum += gradient;
            products += gradient * (value - average);
            row += teams;
        }
    }
    let mut shared = SharedMemory::<Vector<f32, W>>::new(comptime!(lanes * teams));
    let sum = add_teams::<W>(sum, &mut shared, lanes, teams);
    let products = add_teams::<W>(products, &mut shared, lanes, teams);
    if UNIT_POS_Y == 0 && column < columns {
        partials[2 * chunk * columns + column] = sum;
        partials[(2 * chunk + 1) * columns + column] = products;
    }
}

/// The same with dy masked by y, the output.
#[cube(launch, address_type = "dynamic")]
pub(super) fn channel_gradient_sums_of<W: Size>(
    x: &Array<Vector<f32, W>>,
    y: &Array<Vector<f32, W>>,
    dy: &Array<Vector<f32, W>>,
    mean: &Array<Vector<f32, W>>,
    partials: &mut Array<Vector<f32, W>>,
    rows: usize,
    columns: usize,
    rows_per_chunk: usize,
    #[comptime] lanes: usize,
    #[comptime] teams: usize,
) {
    let column = CUBE_POS_X as usize * lanes + UNIT_POS_X as usize;
    let chunk = CUBE_POS_Y as usize;
    let start = chunk * rows_per_chunk;
    let end = select(start + rows_per_chunk < rows, start + rows_per_chunk, rows);
    let mut sum = Vector::<f32, W>::new(0.0f32);
    let mut products = Vector::<f32, W>::new(0.0f32);
    if column < columns {
        let average = mean[column];
        let mut row = start + UNIT_POS_Y as usize;
        while row < end {
            let at = row * columns + column;
            let gradient = where_positive::<W>(dy[at], y[at]);
            sum += gradient;
            products += gradient * (x[at] - average);
            row += teams;
        }
    }
    let mut shared = SharedMemory::<Vector<f32, W>>::new(comptime!(lanes * teams));
    let sum = add_teams::<W>(sum, &mut shared, lanes, teams);
    let products = add_teams::<W>(products, &mut shared, lanes, teams);
    if UNIT_POS_Y == 0 && column < columns {
        partials[2 * chunk * columns + column] = sum;
        partials[(2 * chunk + 1) * columns + column] = products;
    }
}

/// Second pass: the gradients of bias, Σg, and of weight, Σg·x̂; and the three factors [3, columns] with which the gradient of
/// x is f₀·g − f₁·(x − mean) − f₂: weight/σ, weight/σ²·dw/M and weight/σ·db/M.
#[cube(launch)]
pub(super) fn channel_gradients<W: Size>(
    partials: &Array<Vector<f32, W>>,
    variance: &Array<Vector<f32, W>>,
    weight: &Array<Vector<f32, W>>,
    weight_gradient: &mut Array<Vector<f32, W>>,
    bias_gradient: &mut Array<Vector<f32, W>>,
    factors: &mut Array<Vector<f32, W>>,
    rows: usize,
    columns: usize,
    chunks: usize,
    epsilon: f32,
    #[comptime] lanes: usize,
    #[comptime] teams: usize,
) {
    let column = CUBE_POS_X as usize * lanes + UNIT_POS_X as usize;
    let mut sum = Vector::<f32, W>::new(0.0f32);
    let mut products = Vector::<f32, W>::new(0.0f32);
    if column < columns {
        let mut chunk = UNIT_POS_Y as usize;
        while chunk < chunks {
            sum += partials[2 * chunk * columns + column];
            products += partials[(2 * chunk + 1) * columns + column];
            chunk += teams;
        }
    }
    let mut shared = SharedMemory::<Vector<f32, W>>::new(comptime!(lanes * teams));
    let sum = add_teams::<W>(sum, &mut shared, lanes, teams);
    let products = add_teams::<W>(products, &mut shared, lanes, teams);
    if UNIT_POS_Y == 0 && column < columns {
        let inverse = inverse_std::<W>(variance[column], epsilon);
        let scale = inverse * weight[column];
        let count = Vector::<f32, W>::new(f32::cast_from(rows));
        let weighted = products * inverse;
        bias_gradient[column] = sum;
        weight_gradient[column] = weighted;
        factors[column] = scale;
        factors[columns + column] = scale * inverse * (weighted / count);
        factors[2 * columns + column] = scale * (sum / count);
    }
}

/// The gradient of x from that of y, masked by normal(x) if `relu`.
#[cube(launch, address_type = "dynamic")]
pub(super) fn channel_input_gradient<W: Size>(
    x: &Array<Vector<f32, W>>,
    dy: &Array<Vector<f32, W>>,
    mean: &Array<Vector<f32, W>>,
    bias: &Array<Vector<f32, W>>,
    factors: &Array<Vector<f32, W>>,
    dx: &mut Array<Vector<f32, W>>,
    vectors: usize,
    columns: usize,
    #[comptime] relu: bool,
) {
    let at = ABSOLUTE_POS;
    if at < vectors {
        let column = at % columns;
        let scale = factors[column];
        let centred = x[at] - mean[column];
        let mut gradient = dy[at];
        if relu {
            gradient = where_positive::<W>(gradient, centred * scale + bias[column]);
        }
        dx[at] = scale * gradient - factors[columns + column] * centred - factors[2 * columns + column];
    }
}

/// The gradients of x and of the residual, which is dy masked by y.
#[cube(launch, address_type = "dynamic")]
pub(super) fn channel_input_gradient_of<W: Size>(
    x: &Array<Vector<f32, W>>,
    y: &Array<Vector<f32, W>>,
    dy: &Array<Vector<f32, W>>,
    mean: &Array<Vector<f32, W>>,
    factors: &Array<Vector<f32, W>>,
    dx: &mut Array<Vector<f32, W>>,
    residual: &mut Array<Vector<f32, W>>,
    vectors: usize,
    columns: usize,
) {
    let at = ABSOLUTE_POS;
    if at < vectors {
        let column = at % columns;
        let centred = x[at] - mean[column];
        let gradient = where_positive::<W>(dy[at], y[at]);
        dx[at] = factors[column] * gradient - factors[columns + column] * centred - factors[2 * columns + column];
        residual[at] = gradient;
    }
}
