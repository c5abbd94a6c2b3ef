//! The values of a pickle. They refer to each other by number, so that what a pickle shares is held once, however often it is
//! used, and a list may even contain itself.

use std::borrow::Cow;
use std::ops::Range;

/// Number of a value.
pub(crate) type Id = u32;

/// Longest key of a storage, in bytes.
const MAX_KEY: usize = 1_000;

/// Part of the pickle's bytes.
pub(crate) type Span = Range<u32>;

/// A value of a pickle.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits.
    BigInt,
    Float(f64),
    Text(Span),
    Bytes(Span),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function: its module and name.
    Global(Span, Span),
    /// What the file stores outside of the pickle.
    Persistent(Id),
    /// What a class or function would have returned.
    Object(Box<Object>),
}

/// A call that was not made, and what would have been done with its result.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// What would have been called.
    pub class: Id,
    /// A tuple.
    pub arguments: Id,
    /// State, as in `__setstate__`.
    pub state: Option<Id>,
    pub items: Vec<Id>,
    pub entries: Vec<(Id, Id)>,
}

/// All values of a pickle.
#[derive(Debug)]
pub(crate) struct Graph {
    pub bytes: Vec<u8>,
    pub nodes: Vec<Node>,
    pub root: Id,
    /// Bytes up to and including the end of the pickle.
    pub consumed: usize,
}

impl Graph {
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    /// Bytes of a span.
    pub fn span(&self, span: &Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// Text of a span. What is not UTF-8 (strings of Python 2) is replaced.
    pub fn text_of(&self, span: &Span) -> Cow<'_, str> {
        String::from_utf8_lossy(self.span(span))
    }

    /// The text of a value, if it is one.
    pub fn text(&self, id: Id) -> Option<Cow<'_, str>> {
        match self.node(id) {
            Node::Text(span) => Some(self.text_of(span)),
            _ => None,
        }
    }

    /// The text of a value, if it is one and short enough for the key of a storage. A pickle may use one long text a million times.
    pub fn short_text(&self, id: Id) -> Option<Cow<'_, str>> {
        match self.node(id) {
            Node::Text(span) if span.len() <= MAX_KEY => Some(self.text_of(span)),
            _ => None,
        }
    }

    pub fn int(&self, id: Id) -> Option<i64> {
        match self.node(id) {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Members of a tuple or list.
    pub fn members(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::Tuple(members) | Node::List(members) => Some(members),
            _ => None,
        }
    }

    /// Module and name, if the value is a class or function; at most the first kilobyte of each.
    pub fn global(&self, id: Id) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
        let short = |span: &Span| span.start..span.end.min(span.start + MAX_KEY as u32);
        match self.node(id) {
            Node::Global(module, name) => Some((self.text_of(&short(module)), self.text_of(&short(name)))),
            _ => None,
        }
    }
}
