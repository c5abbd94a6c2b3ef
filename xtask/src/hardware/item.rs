//! An item of the plan: one command with a share of the time.

/// A command whose result is recorded.
#[derive(Clone, Debug)]
pub struct Item {
    /// The stage that it belongs to.
    pub stage: &'static str,
    /// Its name, which is also that of its files.
    pub name: String,
    /// Its share of the time, relative to those of the other items.
    pub weight: f64,
    /// What is run.
    pub work: Work,
    /// What ends it when its time is over.
    pub end: End,
    /// What has to be there.
    pub needs: Needs,
}

/// What is run.
#[derive(Clone, Debug)]
pub enum Work {
    /// The program with these arguments.
    Program(Vec<String>),
    /// This tool with these arguments, and the program's path.
    Tool(Vec<String>),
    /// A script beside PyTorch, with these arguments.
    Python(Vec<String>),
    /// Generated images are written into the folder of this name.
    Images { folder: String, images: usize },
}

/// What ends an item when its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It should have ended before: it is killed, and that is recorded.
    Kill,
    /// It runs as long as it may: it is asked to stop, and killed only if it does not.
    Stop,
}

/// What has to be there, else the item is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The backend under test.
    Backend,
    /// An adapter of WGPU that is not emulated on the processor.
    HardwareAdapter,
}

impl Item {
    /// An item that is killed at its limit.
    pub fn new(stage: &'static str, name: impl Into<String>, weight: f64, work: Work, needs: Needs) -> Self {
        Self {
            stage,
            name: name.into(),
            weight,
            work,
            end: End::Kill,
            needs,
        }
    }
}
