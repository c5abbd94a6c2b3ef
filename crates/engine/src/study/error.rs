//! A study that cannot be run.

use std::path::PathBuf;
use thiserror::Error;

/// A study that cannot be run; each message is one line.
#[derive(Debug, Error)]
pub enum StudyError {
    /// Neither a study nor a file.
    #[error("no study {name}: the studies are {known}; a grid of your own is a TOML file, such as grid.toml{hint}")]
    Unknown {
        /// What was given.
        name: String,
        /// The studies.
        known: String,
        /// The nearest study, as a sentence.
        hint: String,
    },
    /// The grid's file cannot be read.
    #[error("cannot read the grid {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The grid's file is no grid.
    #[error("{path}: {message}")]
    Grid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A study without cells.
    #[error("the study {0} has no cells; a grid needs [[cells]] or [[axes]]")]
    NoCells(String),
    /// A cell whose name is no folder's.
    #[error(
        "the cell name \"{0}\" is not usable: it names a folder and takes up to 100 lower-case letters, digits, - _ and ."
    )]
    CellName(String),
    /// Two cells with one name.
    #[error("two cells are called {0}; names of cells must differ")]
    SameName(String),
    /// `--cells` names a cell that is not there.
    #[error("there is no cell {name}; the cells are {known}")]
    UnknownCell {
        /// The name.
        name: String,
        /// The cells.
        known: String,
    },
    /// The command line sets what the study varies.
    #[error("{key} is what the study {study} varies (cell {cell}); remove it from the command line")]
    Varied {
        /// The key given.
        key: String,
        /// The study.
        study: String,
        /// The first cell that varies it.
        cell: String,
    },
    /// A study of Barlow Twins' settings over a recipe of another method.
    #[error(
        "the study {study} varies settings of barlow-twins, and the method of the recipe is {method}; pass another --config"
    )]
    Method {
        /// The study.
        study: &'static str,
        /// The recipe's method.
        method: &'static str,
    },
    /// The same seed twice, or none.
    #[error("--seeds {0}: at least one seed is needed, and each only once")]
    Seeds(String),
    /// The config of a cell is invalid.
    #[error("cell {cell}: {message}")]
    Cell {
        /// The cell.
        cell: String,
        /// The config's error.
        message: String,
    },
    /// A run was trained with another config.
    #[error("{run} was trained with another config: {changes}; give the command as it was, or pass another --out")]
    Changed {
        /// The run's folder.
        run: PathBuf,
        /// The keys with both values.
        changes: String,
    },
    /// The folder holds something else.
    #[error("{0} is not empty and holds no study; pass an empty or a new folder with --out")]
    NotAStudy(PathBuf),
    /// The folder holds another study.
    #[error("{root} holds the study {found}; pass another --out for {asked}")]
    Other {
        /// The folder.
        root: PathBuf,
        /// Its study.
        found: String,
        /// The study that was asked for.
        asked: String,
    },
    /// Nothing to resume.
    #[error("nothing to resume: no study {name} lies in {parent}; remove --resume, or name the folder with --out")]
    NothingToResume {
        /// The study.
        name: String,
        /// Where it was searched for.
        parent: PathBuf,
    },
    /// Another process works on it.
    #[error("the study in {0} is being run by another process; wait for it, stop it, or pass another --out")]
    InUse(PathBuf),
}
