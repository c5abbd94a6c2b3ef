//! CubeCL kernels for the sums over C and for its gradient: each makes one pass over C and detects the diagonal during the pass.
//!
//! C [D, D] is read as a flat array of D² elements, `N` elements at a time (`N` divides D²). Element e is on the diagonal if e is
//! a multiple of the period D + 1, so each unit tracks e modulo the period instead of dividing for every element. A cube
//! processes a contiguous piece of `rounds` × `units` vectors, and neighbouring units read neighbouring vectors. Which unit adds
//! which elements in which order depends only on D and the device: no atomics, and the same bytes in every run.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;

/// The four sums in one vector, in the order of [`LossOps::correlation_sums`](crate::ops::LossOps::correlation_sums).
type Sums = Vector<f32, Const<4>>;

/// Whether a vector contains a diagonal element, if its first element is `since` elements after the previous diagonal element.
#[cube]
fn meets_diagonal(since: u32, period: u32, #[comptime] width: usize) -> bool {
    since == 0 || since + comptime!(width as u32) > period
}

/// Whether lane `lane` of such a vector is a diagonal element.
#[cube]
fn is_diagonal(since: u32, period: u32, #[comptime] lane: usize) -> bool {
    let past = since + comptime!(lane as u32);
    past == 0 || past == period
}

/// Advances `since` by `step` elements; both are less than `period`.
#[cube]
fn advance(since: u32, step: u32, period: u32) -> u32 {
    let next = since + step;
    select(next >= period, next - period, next)
}

/// Sum of `mine` over the units of the cube, as a tree reduction that is the same on every device. Only unit 0 may use the
/// result.
///
/// `units` is a power of two. Every unit of the cube must call this function.
#[cube]
fn add_units(mine: Sums, #[comptime] units: usize) -> Sums {
    let unit = UNIT_POS as usize;
    let mut shared = SharedMemory::<Sums>::new(units);
    shared[unit] = mine;
    #[unroll]
    for level in 0..comptime!(units.ilog2() as usize) {
        let half = comptime!(units >> (level + 1));
        sync_cube();
        if unit < half {
            shared[unit] = shared[unit] + shared[unit + half];
        }
    }
    shared[0]
}

/// First pass of the sums: each cube reduces its piece of C to one entry of `partials` [cubes, 4].
#[cube(launch, address_type = "dynamic")]
pub(super) fn sum_pieces<N: Size>(
    c: &Array<Vector<f32, N>>,
    partials: &mut Array<Sums>,
    vectors: usize,
    period: u32,
    rounds: u32,
    #[comptime] units: usize,
) {
    let width = N::value();
    let mut at = CUBE_POS * rounds as usize * units + UNIT_POS as usize;
    let mut since = ((at * width) % period as usize) as u32;
    let step = comptime!((units * width) as u32) % period;

    let mut invariance = 0.0f32;
    let mut trace = 0.0f32;
    let mut squares = 0.0f32;
    let mut off_diagonal = Vector::<f32, N>::new(0.0f32);
    for _ in 0..rounds {
        if at < vectors {
            let mut values = c[at];
            if meets_diagonal(since, period, width) {
                #[unroll]
                for lane in 0..width {
                    if is_diagonal(since, period, lane) {
                        let value = values[lane];
                        invariance += (1.0f32 - value) * (1.0f32 - value);
                        trace += value;
                        squares += value * value;
                        // Zeroed before squaring instead of subtracted afterwards: near the optimum Σ c_ii² is most of ‖C‖².
                        values[lane] = 0.0f32;
                    }
                }
            }
            off_diagonal += values * values;
        }
        at += units;
        since = advance(since, step, period);
    }

    let mut redundancy = 0.0f32;
    #[unroll]
    for lane in 0..width {
        redundancy += off_diagonal[lane];
    }
    let mut mine = Sums::new(0.0f32);
    mine[0] = invariance;
    mine[1] = redundancy;
    mine[2] = trace;
    mine[3] = squares;
    let total = add_units(mine, units);
    if UNIT_POS == 0 {
        partials[CUBE_POS] = total;
    }
}

/// Second pass of the sums: one cube reduces `partials` [cubes, 4] to `sums` [4].
#[cube(launch)]
pub(super) fn sum_partials(partials: &Array<Sums>, sums: &mut Array<Sums>, cubes: usize, #[comptime] units: usize) {
    let mut mine = Sums::new(0.0f32);
    let mut at = UNIT_POS as usize;
    while at < cubes {
        mine += partials[at];
        at += units;
    }
    let total = add_units(mine, units);
    if UNIT_POS == 0 {
        sums[0] = total;
    }
}

/// Computes dC from C, both [D, D], and `weights` [2]: 2 w₁ c_ij off the diagonal, −2 w₀ (1 − c_ii) on it.
#[cube(launch, address_type = "dynamic")]
pub(super) fn gradient<N: Size>(
    c: &Array<Vector<f32, N>>,
    weights: &Array<f32>,
    dc: &mut Array<Vector<f32, N>>,
    vectors: usize,
    period: u32,
    rounds: u32,
    #[comptime] units: usize,
) {
    let width = N::value();
    let mut at = CUBE_POS * rounds as usize * units + UNIT_POS as usize;
    let mut since = ((at * width) % period as usize) as u32;
    let step = comptime!((units * width) as u32) % period;

    let invariance = 2.0f32 * weights[0];
    let redundancy = 2.0f32 * weights[1];
    for _ in 0..rounds {
        if at < vectors {
            let values = c[at];
            let mut gradients = values * Vector::<f32, N>::new(redundancy);
            if meets_diagonal(since, period, width) {
                #[unroll]
                for lane in 0..width {
                    if is_diagonal(since, period, lane) {
                        gradients[lane] = invariance * (values[lane] - 1.0f32);
                    }
                }
            }
            dc[at] = gradients;
        }
        at += units;
        since = advance(since, step, period);
    }
}
