//! Why the bytes of a stored index are not one.

use super::version::VERSION;

/// Why bytes are not a valid index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The first bytes are not those of an index.
    #[error("not an index")]
    Foreign,
    /// The index was written by another release.
    #[error("of version {0} instead of {VERSION}")]
    Version(u32),
    /// The bytes end too early.
    #[error("cut short")]
    Truncated,
    /// The content is inconsistent or does not match its checksum.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}
