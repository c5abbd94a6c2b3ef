//! What can be wrong with features, labels and settings.

use std::fmt;

/// Which set an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// What a classifier is fitted to, or the neighbours of kNN.
    Training,
    /// What is classified.
    Test,
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Set::Training => "training",
            Set::Test => "test",
        })
    }
}

/// Why features could not be evaluated. Each is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A set without rows or without columns.
    #[error("the {set} features are empty: {rows} rows of width {width}")]
    Empty {
        /// The set.
        set: Set,
        /// Its number of rows.
        rows: usize,
        /// Its number of features per row.
        width: usize,
    },
    /// A label that is not a class.
    #[error("the label of {set} row {row} is {label}, but the classes are 0 to {}", classes.saturating_sub(1))]
    Label {
        /// The set.
        set: Set,
        /// The row, from 0.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Two sets that cannot be of the same network and data.
    #[error(
        "training features are {} wide in {} classes, test features {} wide in {} classes",
        training[0], training[1], test[0], test[1]
    )]
    Mismatch {
        /// Width and number of classes.
        training: [usize; 2],
        /// Width and number of classes.
        test: [usize; 2],
    },
    /// NaN or infinity among the features.
    #[error(
        "{set} row {row} is not finite (feature {column} is {value}): the network has diverged, or the features are damaged"
    )]
    NotFinite {
        /// The set.
        set: Set,
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// Its value.
        value: f32,
    },
    /// A score that is NaN has no place in a ranking.
    #[error("score {row} is NaN: it has no place in a ranking")]
    Score {
        /// The position, from 0.
        row: usize,
    },
    /// A setting outside its range.
    #[error("{0}")]
    Setting(String),
    /// Rows that could not be read.
    #[error("cannot read {set} rows {start} to {end}: {source}")]
    Read {
        /// The set.
        set: Set,
        /// The first row, from 0.
        start: usize,
        /// The row after the last.
        end: usize,
        /// Why.
        source: std::io::Error,
    },
    /// The caller's [`Control`](crate::Control) asked for it.
    #[error("the evaluation was stopped")]
    Stopped,
}
