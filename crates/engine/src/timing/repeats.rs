//! How often work is repeated, and how long it took.

/// Work is repeated more often than requested as long as all repetitions together are shorter than this.
const ENOUGH_S: f64 = 0.5;
/// But at most this many times as often.
const MOST_TIMES: usize = 20;

/// How often the work is done.
#[derive(Clone, Copy, Debug)]
pub struct Repeats {
    /// After the first time, without being counted.
    pub warm_up: usize,
    /// Counted (≥ 1); more often if all of them together take less than half a second.
    pub counted: usize,
}

/// Seconds that the work took.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The first time, in which a GPU's kernels are compiled and tuned.
    pub first: f64,
    /// The counted times, in ascending order.
    pub seconds: Vec<f64>,
}

impl Timing {
    pub(super) fn of(repeats: Repeats, mut once: impl FnMut() -> f64) -> Self {
        let first = once();
        for _ in 0..repeats.warm_up {
            once();
        }
        let counted = repeats.counted.max(1);
        let mut seconds: Vec<f64> = (0..counted).map(|_| once()).collect();
        // Short work is repeated until the noise averages out.
        while seconds.iter().sum::<f64>() < ENOUGH_S && seconds.len() < MOST_TIMES * counted {
            seconds.push(once());
        }
        seconds.sort_by(f64::total_cmp);
        Self { first, seconds }
    }

    /// The median of the counted times; of two in the middle the larger.
    pub fn median(&self) -> f64 {
        self.seconds[self.seconds.len() / 2]
    }

    /// The shortest counted time.
    pub fn min(&self) -> f64 {
        self.seconds[0]
    }

    /// The longest counted time.
    pub fn max(&self) -> f64 {
        self.seconds[self.seconds.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_and_the_warm_up_are_not_counted() {
        let mut times = [9.0, 8.0, 1.0, 3.0, 2.0].into_iter();
        let repeats = Repeats { warm_up: 1, counted: 3 };
        let timing = Timing::of(repeats, || times.next().expect("five times"));
        assert_eq!(times.next(), None);
        assert_eq!(
            (timing.first, timing.min(), timing.median(), timing.max()),
            (9.0, 1.0, 2.0, 3.0)
        );
    }
}
