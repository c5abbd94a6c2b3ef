//! Labelled rows of features, in memory or elsewhere: the input of every classifier here.

use crate::{EvalError, Set};
use std::io;
use std::ops::Range;

/// Rows of features with labels, read in blocks. Classifiers never hold more than some blocks of a source, so it may be larger
/// than memory. [`Features`](crate::Features) are rows in memory.
pub trait Rows: Sync {
    /// Number of features per row.
    fn width(&self) -> usize;

    /// Number of classes.
    fn classes(&self) -> usize;

    /// Class of every row, each below [`Self::classes`]. Their number is the number of rows.
    fn labels(&self) -> &[usize];

    /// The rows of `range`, `[range.len(), width]`, row-major: a slice of the source's own memory, or `scratch` after it was
    /// filled. Rows are read in ascending blocks, more than once.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn read<'a>(&'a self, range: Range<usize>, scratch: &'a mut Vec<f32>) -> io::Result<&'a [f32]>;

    /// Number of rows.
    fn len(&self) -> usize {
        self.labels().len()
    }

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads a block and checks its size.
pub(crate) fn read<'a>(
    rows: &'a dyn Rows,
    set: Set,
    range: Range<usize>,
    scratch: &'a mut Vec<f32>,
) -> Result<&'a [f32], EvalError> {
    let (start, end) = (range.start, range.end);
    let failed = |source| EvalError::Read {
        set,
        start,
        end,
        source,
    };
    let expected = (end - start) * rows.width();
    let block = rows.read(range, scratch).map_err(failed)?;
    if block.len() != expected {
        let message = format!("{} values instead of {expected}", block.len());
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, message)));
    }
    Ok(block)
}

/// Refuses an empty set and labels that are no classes.
pub(crate) fn check(set: Set, rows: &dyn Rows) -> Result<(), EvalError> {
    if rows.is_empty() || rows.width() == 0 {
        return Err(EvalError::Empty {
            set,
            rows: rows.len(),
            width: rows.width(),
        });
    }
    let classes = rows.classes();
    match rows.labels().iter().enumerate().find(|(_, label)| **label >= classes) {
        Some((row, &label)) => Err(EvalError::Label {
            set,
            row,
            label,
            classes,
        }),
        None => Ok(()),
    }
}

/// Refuses two sets that are not consistent, each by itself and with each other.
pub(crate) fn check_pair(training: &dyn Rows, test: &dyn Rows) -> Result<(), EvalError> {
    check(Set::Training, training)?;
    check(Set::Test, test)?;
    let [a, b] = [training, test].map(|rows| [rows.width(), rows.classes()]);
    if a != b {
        return Err(EvalError::Mismatch { training: a, test: b });
    }
    Ok(())
}

/// The error of a block, the first row of which is `start`, that holds NaN or infinity.
pub(crate) fn not_finite(set: Set, start: usize, block: &[f32], width: usize) -> Option<EvalError> {
    let at = block.iter().position(|value| !value.is_finite())?;
    Some(EvalError::NotFinite {
        set,
        row: start + at / width,
        column: at % width,
        value: block[at],
    })
}
