//! Pickles, protocols 2 to 5, as a graph of values. Nothing is executed: a class or function is only its name, and a call only
//! its name and arguments.

mod graph;
mod machine;

pub(crate) use graph::{Graph, Id, Node, Object};
pub(crate) use machine::parse;
