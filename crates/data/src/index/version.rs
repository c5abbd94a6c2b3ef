//! Version of the format of stored indexes.

/// Incremented when the format changes or when a listing includes other files than before.
pub(super) const VERSION: u32 = 2;
