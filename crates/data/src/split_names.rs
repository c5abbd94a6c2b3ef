//! Names of folders and lists that are splits of a set.

/// Names of the held-out images' folder or list; the first that exists is used.
pub(crate) const TEST_NAMES: [&str; 4] = ["test", "val", "valid", "validation"];

/// All folder names that are splits.
pub(crate) const SPLIT_NAMES: [&str; 5] = ["train", "test", "val", "valid", "validation"];
