//! Scratch buffers that are retained between calls.
//!
//! A training step requests the same sizes again and again, and faulting in fresh pages costs more than most of the work done in
//! them. Buffers only grow; they are freed with their thread ([`with`]) or never ([`with_shared`]). They start at a cache line, as
//! an AVX-512 vector at any other address spans two of them.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

/// Floats per cache line, and per AVX-512 vector.
const LINE_FLOATS: usize = 16;

/// Selects one of the buffers of a thread. Kernels that hold several buffers at the same time use different slots, and give them
/// descriptive names (`const PACKED: Slot = Slot::A`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first buffer.
    A,
    /// The second buffer.
    B,
    /// The third buffer.
    C,
    /// The fourth buffer.
    D,
}

thread_local! {
    static BUFFERS: [Cell<Vec<f32>>; 4] = const { [const { Cell::new(Vec::new()) }; 4] };
}

/// Runs `work` on `len` floats of unspecified content, from this thread's buffer `slot`.
///
/// The buffer is taken from the thread meanwhile: a nested call with the same slot (by a task that a thread pool runs on this thread
/// while `work` waits) gets other memory.
pub fn with<R>(slot: Slot, len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = BUFFERS.with(|buffers| buffers[slot as usize].take());
    let result = work(grown(&mut buffer, len));
    BUFFERS.with(|buffers| {
        let nested = buffers[slot as usize].take();
        let longer = if nested.len() > buffer.len() { nested } else { buffer };
        buffers[slot as usize].set(longer);
    });
    result
}

/// Buffers of the whole program that are not in use.
static SHARED: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Runs `work` on `len` floats of unspecified content, from a pool that all threads share: for large memory that the tasks of one
/// operation use together.
pub fn with_shared<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let pool = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffer = pool().pop().unwrap_or_default();
    let result = work(grown(&mut buffer, len));
    pool().push(buffer);
    result
}

/// `len` floats of a buffer from the first cache line on that it holds whole; the buffer is extended if it is shorter.
fn grown(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len + LINE_FLOATS - 1 {
        buffer.resize(len + LINE_FLOATS - 1, 0.0);
    }
    let past = buffer.as_ptr().addr() / size_of::<f32>() % LINE_FLOATS;
    let start = (LINE_FLOATS - past) % LINE_FLOATS;
    &mut buffer[start..start + len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_retains_its_buffers() {
        let place = with(Slot::A, 1000, |floats| floats.as_ptr());
        assert_eq!(
            with(Slot::A, 1000, |floats| (floats.as_ptr(), floats.len())),
            (place, 1000)
        );
        assert_eq!(with(Slot::A, 10, |floats| (floats.as_ptr(), floats.len())), (place, 10));
        assert_eq!(with(Slot::A, 0, |floats| floats.len()), 0);
    }

    #[test]
    fn buffers_start_at_a_cache_line() {
        for len in [1, 15, 16, 17, 1000, 100_000] {
            let mut buffer = Vec::new();
            for len in [len, len / 2, len + 1] {
                let floats = grown(&mut buffer, len);
                assert_eq!((floats.as_ptr().addr() % 64, floats.len()), (0, len));
            }
        }
    }

    #[test]
    fn buffers_in_use_at_the_same_time_do_not_overlap() {
        for other in [Slot::A, Slot::B, Slot::C, Slot::D] {
            with(Slot::A, 100, |outer| {
                outer.fill(1.0);
                with(other, 200, |inner| {
                    inner.fill(2.0);
                    outer.fill(3.0);
                    assert_eq!(inner, [2.0; 200]);
                });
                assert_eq!(outer, [3.0; 100]);
            });
        }
        // Of two buffers of the same slot the longer one is retained.
        let place = with(Slot::B, 10, |_| with(Slot::B, 5000, |inner| inner.as_ptr()));
        assert_eq!(with(Slot::B, 5000, |floats| floats.as_ptr()), place);
    }

    #[test]
    fn shared_buffers_in_use_at_the_same_time_do_not_overlap() {
        with_shared(100, |outer| {
            outer.fill(1.0);
            std::thread::scope(|scope| {
                for number in 0..3 {
                    scope.spawn(move || {
                        with_shared(50, |inner| {
                            inner.fill(number as f32);
                            assert_eq!(inner, [number as f32; 50]);
                        });
                    });
                }
            });
            assert_eq!(outer, [1.0; 100]);
        });
    }
}
