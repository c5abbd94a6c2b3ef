//! Working memory of the convolutions, one buffer a thread and use, kept between calls: a training step asks for the same
//! sizes again and again, and fresh pages cost more than the copies made into them.

use std::cell::RefCell;

/// What a buffer is for; two uses on one thread never share memory.
#[derive(Clone, Copy)]
pub(super) enum Use {
    /// The input of a task, channels side by side.
    Packed = 0,
    /// The output of a tile of channels, or the gradient of the output.
    Output = 1,
}

thread_local! {
    static BUFFERS: [RefCell<Vec<f32>>; 2] = const { [const { RefCell::new(Vec::new()) }; 2] };
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
