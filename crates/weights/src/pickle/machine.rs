//! The pickle machine: a stack, a memo, and the opcodes of protocols 2 to 5.

use super::graph::{Graph, Id, Node, Object, Span};
use crate::error::Fault;
use std::collections::HashMap;

/// Values of a pickle.
const MAX_VALUES: usize = 4 << 20;
/// Entries of the stack.
const MAX_STACK: usize = 4 << 20;
/// Members of all lists, tuples, sets and dicts together.
const MAX_MEMBERS: usize = 16 << 20;

/// Reads the pickle at the begin of `bytes`.
///
/// # Errors
/// [`Fault::Truncated`] if the bytes end before the pickle does; [`Fault::Pickle`] and [`Fault::Limit`].
pub(crate) fn parse(bytes: &[u8]) -> Result<Graph, Fault> {
    let mut machine = Machine {
        bytes,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        members: 0,
    };
    let root = machine.run()?;
    Ok(Graph {
        bytes: bytes[..machine.at].to_vec(),
        nodes: machine.nodes,
        root,
        consumed: machine.at,
    })
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Lengths of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    members: usize,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Id, Fault> {
        loop {
            let at = self.at;
            let [opcode] = self.take()?;
            match opcode {
                b'.' => return self.pop(),
                // PROTO
                0x80 => {
                    let [protocol] = self.take()?;
                    if protocol > 5 {
                        return Err(self.fault(at, format!("protocol {protocol}, and 5 is the latest that is known")));
                    }
                }
                // FRAME
                0x95 => {
                    self.take::<8>()?;
                }
                b'(' => {
                    if self.marks.len() >= MAX_STACK {
                        return Err(limit("marks in the pickle", MAX_STACK));
                    }
                    self.marks.push(self.stack.len());
                }
                b'0' => {
                    // As in Python: without a value above the mark it removes the mark.
                    if self.marks.last() == Some(&self.stack.len()) {
                        self.marks.pop();
                    } else {
                        self.pop()?;
                    }
                }
                b'1' => {
                    let mark = self.mark()?;
                    self.stack.truncate(mark);
                }
                b'2' => {
                    let top = self.top()?;
                    self.push(top)?;
                }
                b'N' => self.new_node(Node::None)?,
                0x88 => self.new_node(Node::Bool(true))?,
                0x89 => self.new_node(Node::Bool(false))?,
                b'J' => {
                    let value = i32::from_le_bytes(self.take()?);
                    self.new_node(Node::Int(value.into()))?;
                }
                b'K' => {
                    let [value] = self.take()?;
                    self.new_node(Node::Int(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.take()?);
                    self.new_node(Node::Int(value.into()))?;
                }
                0x8a => {
                    let [len] = self.take()?;
                    self.long(len.into())?;
                }
                0x8b => {
                    let len = u32::from_le_bytes(self.take()?);
                    self.long(len.into())?;
                }
                b'G' => {
                    let value = f64::from_be_bytes(self.take()?);
                    self.new_node(Node::Float(value))?;
                }
                // Strings of Python 2 are texts too.
                b'U' | 0x8c | b'T' | b'X' | 0x8d => {
                    let span = self.counted(opcode)?;
                    self.new_node(Node::Text(span))?;
                }
                b'C' | b'B' | 0x8e | 0x96 => {
                    let span = self.counted(opcode)?;
                    self.new_node(Node::Bytes(span))?;
                }
                b']' => self.new_node(Node::List(Vec::new()))?,
                b')' => self.new_node(Node::Tuple(Vec::new()))?,
                b'}' => self.new_node(Node::Dict(Vec::new()))?,
                0x8f => self.new_node(Node::Set(Vec::new()))?,
                b't' | b'l' | 0x91 => {
                    let members = self.above_mark()?;
                    self.new_node(match opcode {
                        b't' => Node::Tuple(members),
                        b'l' => Node::List(members),
                        _ => Node::Set(members),
                    })?;
                }
                b'd' => {
                    let members = self.above_mark()?;
                    let pairs = self.pairs(at, &members)?;
                    self.new_node(Node::Dict(pairs))?;
                }
                0x85..=0x87 => {
                    let count = usize::from(opcode - 0x84);
                    let mut members = Vec::with_capacity(count);
                    for _ in 0..count {
                        members.push(self.pop()?);
                    }
                    members.reverse();
                    self.count(count)?;
                    self.new_node(Node::Tuple(members))?;
                }
                b'a' => {
                    let member = self.pop()?;
                    self.append(at, vec![member])?;
                }
                b'e' | 0x90 => {
                    let members = self.above_mark()?;
                    self.append(at, members)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.insert(at, vec![(key, value)])?;
                }
                b'u' => {
                    let members = self.above_mark()?;
                    let pairs = self.pairs(at, &members)?;
                    self.insert(at, pairs)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.new_node(Node::Global(module, name))?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    match (&self.nodes[module as usize], &self.nodes[name as usize]) {
                        (Node::Text(module), Node::Text(name)) => {
                            let node = Node::Global(module.clone(), name.clone());
                            self.new_node(node)?;
                        }
                        _ => return Err(self.fault(at, "a class without a name")),
                    }
                }
                // REDUCE, NEWOBJ
                b'R' | 0x81 => {
                    let (arguments, class) = (self.pop()?, self.pop()?);
                    self.object(at, class, arguments)?;
                }
                // NEWOBJ_EX; no class that is built has keyword arguments.
                0x92 => {
                    let (_keywords, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                    self.object(at, class, arguments)?;
                }
                b'b' => {
                    let state = self.pop()?;
                    let object = self.top()?;
                    match &mut self.nodes[object as usize] {
                        Node::Object(object) => object.state = Some(state),
                        _ => return Err(self.fault(at, "a state for what is not an object")),
                    }
                }
                b'Q' => {
                    let name = self.pop()?;
                    self.new_node(Node::Persistent(name))?;
                }
                b'h' => {
                    let [index] = self.take()?;
                    self.recall(at, index.into())?;
                }
                b'j' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.recall(at, index)?;
                }
                b'q' => {
                    let [index] = self.take()?;
                    self.memoize(index.into())?;
                }
                b'r' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.memoize(index)?;
                }
                0x94 => {
                    let index = self.memo.len() as u32;
                    self.memoize(index)?;
                }
                _ => return Err(self.fault(at, format!("opcode {opcode:#04x}, which torch does not write"))),
            }
        }
    }

    fn fault(&self, at: usize, problem: impl Into<String>) -> Fault {
        Fault::Pickle {
            at,
            problem: problem.into(),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let rest = &self.bytes[self.at..];
        let (&taken, _) = rest.split_first_chunk().ok_or_else(|| Fault::truncated("a pickle"))?;
        self.at += N;
        Ok(taken)
    }

    fn span_of(&mut self, len: u64) -> Result<Span, Fault> {
        let left = (self.bytes.len() - self.at) as u64;
        if len > left {
            return Err(Fault::truncated("a pickle"));
        }
        let start = self.at;
        self.at += len as usize;
        let [start, end] = [start, self.at].map(u32::try_from);
        match (start, end) {
            (Ok(start), Ok(end)) => Ok(start..end),
            _ => Err(limit("bytes of the pickle", u32::MAX as usize)),
        }
    }

    /// Bytes after their number, whose width depends on the opcode.
    fn counted(&mut self, opcode: u8) -> Result<Span, Fault> {
        let len = match opcode {
            b'U' | b'C' | 0x8c => u64::from(self.take::<1>()?[0]),
            b'T' | b'X' | b'B' => u32::from_le_bytes(self.take()?).into(),
            _ => u64::from_le_bytes(self.take()?),
        };
        self.span_of(len)
    }

    fn line(&mut self) -> Result<Span, Fault> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|&byte| byte == b'\n');
        let span = self.span_of(len.ok_or_else(|| Fault::truncated("a pickle"))? as u64)?;
        self.at += 1;
        Ok(span)
    }

    /// An integer in two's complement, lowest byte first.
    fn long(&mut self, len: u64) -> Result<(), Fault> {
        let span = self.span_of(len)?;
        let bytes = &self.bytes[span.start as usize..span.end as usize];
        let filler = match bytes.last() {
            Some(last) if last & 0x80 != 0 => 0xff,
            _ => 0,
        };
        let mut value = [filler; 8];
        let used = bytes.len().min(8);
        value[..used].copy_from_slice(&bytes[..used]);
        let fits = bytes[used..].iter().all(|&byte| byte == filler) && (used < 8 || (value[7] ^ filler) & 0x80 == 0);
        self.new_node(match fits {
            true => Node::Int(i64::from_le_bytes(value)),
            false => Node::BigInt,
        })
    }

    fn new_node(&mut self, node: Node) -> Result<(), Fault> {
        if self.nodes.len() >= MAX_VALUES {
            return Err(limit("values in the pickle", MAX_VALUES));
        }
        self.nodes.push(node);
        self.push((self.nodes.len() - 1) as Id)
    }

    fn push(&mut self, id: Id) -> Result<(), Fault> {
        if self.stack.len() >= MAX_STACK {
            return Err(limit("stack of the pickle", MAX_STACK));
        }
        self.stack.push(id);
        Ok(())
    }

    /// Length of the stack below which nothing may be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Id, Fault> {
        let above = self.stack.get(self.floor()..).and_then(<[Id]>::last);
        above.copied().ok_or_else(|| self.fault(self.at, "a missing value"))
    }

    fn mark(&mut self) -> Result<usize, Fault> {
        self.marks.pop().ok_or_else(|| self.fault(self.at, "a missing mark"))
    }

    fn above_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.mark()?;
        let members = self.stack.split_off(mark);
        self.count(members.len())?;
        Ok(members)
    }

    fn count(&mut self, members: usize) -> Result<(), Fault> {
        self.members += members;
        if self.members > MAX_MEMBERS {
            return Err(limit("members of lists in the pickle", MAX_MEMBERS));
        }
        Ok(())
    }

    fn pairs(&self, at: usize, members: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
        match members.as_chunks() {
            (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => Err(self.fault(at, "a key without a value")),
        }
    }

    fn append(&mut self, at: usize, members: Vec<Id>) -> Result<(), Fault> {
        let list = self.top()?;
        self.count(members.len())?;
        match &mut self.nodes[list as usize] {
            Node::List(list) | Node::Set(list) => list.extend(members),
            Node::Object(object) => object.items.extend(members),
            _ => return Err(self.fault(at, "members for what is not a list")),
        }
        Ok(())
    }

    fn insert(&mut self, at: usize, pairs: Vec<(Id, Id)>) -> Result<(), Fault> {
        let dict = self.top()?;
        self.count(2 * pairs.len())?;
        match &mut self.nodes[dict as usize] {
            Node::Dict(entries) => entries.extend(pairs),
            Node::Object(object) => object.entries.extend(pairs),
            _ => return Err(self.fault(at, "entries for what is not a dict")),
        }
        Ok(())
    }

    fn object(&mut self, at: usize, class: Id, arguments: Id) -> Result<(), Fault> {
        if !matches!(self.nodes[arguments as usize], Node::Tuple(_)) {
            return Err(self.fault(at, "arguments that are not a tuple"));
        }
        self.new_node(Node::Object(Box::new(Object {
            class,
            arguments,
            state: None,
            items: Vec::new(),
            entries: Vec::new(),
        })))
    }

    fn recall(&mut self, at: usize, index: u32) -> Result<(), Fault> {
        match self.memo.get(&index) {
            Some(&id) => self.push(id),
            None => Err(self.fault(at, "a value that was not stored before")),
        }
    }

    fn memoize(&mut self, index: u32) -> Result<(), Fault> {
        if self.memo.len() >= MAX_VALUES {
            return Err(limit("memo of the pickle", MAX_VALUES));
        }
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }
}

fn limit(what: &'static str, limit: usize) -> Fault {
    Fault::Limit {
        what,
        limit: limit as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_length_are_read() {
        for (bytes, value) in [
            (&b"\x8a\x00."[..], Some(0)),
            (b"\x8a\x01\xff.", Some(-1)),
            (b"\x8a\x02\xff\x00.", Some(255)),
            (b"\x8a\x08\0\0\0\0\0\0\0\x80.", Some(i64::MIN)),
            (b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\0.", None),
            (b"\x8b\x01\0\0\0\x7f.", Some(127)),
            (b"J\xfe\xff\xff\xff.", Some(-2)),
        ] {
            let graph = parse(bytes).unwrap();
            assert_eq!(graph.int(graph.root), value, "{bytes:?}");
        }
    }

    #[test]
    fn a_list_may_contain_itself() {
        let graph = parse(b"\x80\x02]q\x00h\x00a.").unwrap();
        assert_eq!(graph.members(graph.root), Some(&[graph.root][..]));
        assert_eq!(graph.consumed, 9);
    }

    #[test]
    fn what_is_not_a_pickle_is_an_error() {
        for bytes in [
            &b""[..],
            b".",
            b"a.",
            b"(.",
            b"N(.",
            b"t.",
            b"NN\x93.",
            b"NNR.",
            b"N}b.",
            b"(Nd.",
            b"h\x00.",
            b"X\xff\xff\xff\xff.",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
            b"cos\nsystem",
            b"\x80\x09N.",
            b"\x82\x01.",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }
}
