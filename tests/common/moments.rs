//! Random moments at which a test interrupts a run. They repeat with the seed, which is printed.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Environment variable with the seed; without it the seed is taken from the clock.
const VARIABLE: &str = "BARLOW_TEST_SEED";

/// A random number generator (SplitMix64). Displayed as the environment variable that repeats its numbers.
pub struct Moments {
    seed: u64,
    state: u64,
}

impl Moments {
    /// A generator with the seed of the environment or the clock. Prints the seed, which the test harness shows if the test
    /// fails.
    ///
    /// # Panics
    ///
    /// If the environment variable is not an integer from 0 to 2⁶⁴ − 1.
    pub fn from_environment() -> Self {
        let seed = match std::env::var(VARIABLE) {
            Ok(text) => text
                .parse()
                .unwrap_or_else(|error| panic!("{VARIABLE}={text}: {error}")),
            Err(_) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                now.expect("the clock is past 1970").as_nanos() as u64
            }
        };
        let moments = Self::new(seed);
        #[expect(clippy::print_stdout, reason = "captured by the test harness")]
        {
            println!("{moments} repeats the random moments of this test");
        }
        moments
    }

    fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// The next number, from 0 to `limit` − 1.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

impl fmt::Display for Moments {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{VARIABLE}={}", self.seed)
    }
}

#[test]
fn moments_repeat_with_the_seed() {
    let drawn = |seed| {
        let mut moments = Moments::new(seed);
        [(); 20].map(|()| moments.below(17))
    };
    assert_eq!(drawn(5), drawn(5));
    assert_ne!(drawn(5), drawn(6));
    assert_eq!(Moments::new(5).to_string(), "BARLOW_TEST_SEED=5");
}
