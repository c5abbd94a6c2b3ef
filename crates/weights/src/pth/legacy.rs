//! The format from torch 0.1.10 to 1.5: five pickles (a magic number, a version, the machine, the values, the storages' keys),
//! then the storages, each after its number of values.

use super::build::{Storages, build, parse_at, storage_types};
use crate::contents::{Contents, Format};
use crate::error::{Fault, quoted};
use crate::pickle::{Graph, Node};
use crate::source::Source;
use crate::stored::{Segment, StoredTensor};
use std::collections::HashMap;

/// The magic number as a pickle of protocol 2 without its end: protocols differ in the first two bytes.
const MAGIC: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Whether a file that begins with `start` is of this format.
pub(crate) fn is_legacy(start: &[u8]) -> bool {
    start.first() == Some(&0x80) && start.get(2..).is_some_and(|start| start.starts_with(MAGIC))
}

struct Table(HashMap<String, Segment>);

impl Storages for Table {
    fn storage(&self, key: &str) -> Result<Option<Segment>, Fault> {
        Ok(self.0.get(key).copied())
    }

    fn tensor(&self, _key: &str) -> Option<&StoredTensor> {
        None
    }
}

pub(crate) fn read_legacy(source: &Source) -> Result<Contents, Fault> {
    let mut at = 0;
    let mut next = || parse_at(source, &mut at);
    let (_magic, _version, machine, values, keys) = (next()?, next()?, next()?, next()?, next()?);
    check_machine(&machine)?;
    let types = storage_types(&values)?;
    let damaged = |problem: String| Fault::Archive(problem);
    let members = keys.members(keys.root);
    let members = members.ok_or_else(|| damaged("its list of storages is missing".to_owned()))?;
    let mut table = HashMap::with_capacity(members.len().min(1 << 16));
    for &member in members {
        let key = keys.short_text(member);
        let key = key
            .ok_or_else(|| damaged("a storage has no name".to_owned()))?
            .into_owned();
        let dtype = types.get(&key);
        let dtype = dtype.ok_or_else(|| damaged(format!("the type of the storage {} is missing", quoted(&key))))?;
        let what = || format!("the storage {}", quoted(&key));
        let count = source.part(at, 8, &what())?;
        let count = u64::from_le_bytes(count.try_into().expect("eight bytes"));
        let bytes = count.checked_mul(dtype.bytes() as u64);
        let (offset, bytes) = (at + 8, bytes.ok_or_else(|| Fault::truncated(what()))?);
        at = offset
            .checked_add(bytes)
            .filter(|&end| end <= source.len())
            .ok_or_else(|| Fault::truncated(what()))?;
        table.insert(key, Segment { offset, bytes });
    }
    build(&values, &Table(table), Format::PthLegacy)
}

fn check_machine(machine: &Graph) -> Result<(), Fault> {
    let Node::Dict(entries) = machine.node(machine.root) else {
        return Err(Fault::Archive("the description of the machine is missing".to_owned()));
    };
    let little = entries
        .iter()
        .find(|(key, _)| machine.text(*key).is_some_and(|key| key == "little_endian"));
    match little.map(|(_, value)| machine.node(*value)) {
        Some(Node::Bool(false)) => Err(Fault::BigEndian),
        _ => Ok(()),
    }
}
