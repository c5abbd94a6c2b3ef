//! Working memory of the forms, one buffer a thread and use, kept between calls: a training step asks for the same sizes again
//! and again, and fresh pages cost more than what is done in them.

use std::cell::Cell;

/// What a buffer is for; two uses on one thread never share memory.
#[derive(Clone, Copy)]
pub(super) enum Use {
    /// A standardised block of view a or b.
    BlockA = 0,
    BlockB = 1,
    /// A product with it.
    Product = 2,
}

thread_local! {
    static BUFFERS: [Cell<Vec<f32>>; 3] = const { [const { Cell::new(Vec::new()) }; 3] };
}

/// Runs `work` on `len` floats of unspecified content. They are taken from the thread for that time: a task that the thread
/// picks up meanwhile gets others.
pub(super) fn with<R>(purpose: Use, len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = BUFFERS.with(|buffers| buffers[purpose as usize].take());
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = work(&mut buffer[..len]);
    BUFFERS.with(|buffers| buffers[purpose as usize].set(buffer));
    result
}
