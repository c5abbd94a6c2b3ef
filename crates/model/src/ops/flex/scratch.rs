//! Working memory of the convolutions, one buffer a thread and use, kept between calls: a training step asks for the same
//! sizes again and again, and fresh pages cost more than the copies made into them.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// What a buffer is for; two uses on one thread never share memory.
#[derive(Clone, Copy)]
pub(super) enum Use {
    /// The input of a task, channels side by side.
    Packed = 0,
    /// The output of a tile of channels, or the gradient of the output.
    Output = 1,
    /// The input of a task, transformed.
    Points = 2,
    /// Products at every point.
    Product = 3,
}

thread_local! {
    static BUFFERS: [RefCell<Vec<f32>>; 4] = const { [const { RefCell::new(Vec::new()) }; 4] };
}

/// Runs `work` on `len` floats of unspecified content that belong to this thread until it returns.
///
/// # Panics
/// If `work` asks for the same use again.
pub(super) fn with<R>(purpose: Use, len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    BUFFERS.with(|buffers| {
        let mut buffer = buffers[purpose as usize].borrow_mut();
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        work(&mut buffer[..len])
    })
}

/// Buffers that all threads of one operation share.
static SHARED: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Runs `work` on `len` floats of unspecified content, whichever thread asks.
pub(super) fn with_shared<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let pool = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffer = pool().pop().unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = work(&mut buffer[..len]);
    pool().push(buffer);
    result
}
