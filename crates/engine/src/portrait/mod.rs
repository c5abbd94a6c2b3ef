//! What a report shows of a network besides its numbers: the cross-correlation of two views, a map of the representations, nearest
//! neighbours, confused classes. Computed once and stored in the run's folder, so that a report of a finished run is quick.

mod correlation;
#[expect(clippy::module_inception, reason = "the function that the module is named after")]
mod portrait;
mod stored;
mod thumbnails;

pub(crate) use correlation::correlation;
pub(crate) use portrait::portrait;
pub(crate) use stored::{read_correlation, read_portrait, write_correlation, write_portrait};
