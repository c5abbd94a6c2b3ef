//! The first format of torch: a tar archive of `storages`, `tensors` and `pickle`, in which the pickle refers to tensors by number.

use super::build::{Storages, build, parse_at, storage_type};
use crate::contents::{Contents, Format};
use crate::dtype::Dtype;
use crate::error::Fault;
use crate::pickle::{Graph, Id};
use crate::source::Source;
use crate::stored::{Segment, StoredTensor};
use std::collections::HashMap;

const BLOCK: u64 = 512;
/// Most members that are looked at.
const MAX_MEMBERS: usize = 1_000;
/// Most storages, and most tensors.
const MAX_TENSORS: i64 = 1 << 20;
/// Most dimensions of a tensor.
const MAX_DIMS: u32 = 64;

/// Whether a file that begins with `start` is of this format.
pub(crate) fn is_tar(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar")
}

struct Tables {
    storages: HashMap<String, (Dtype, Segment)>,
    tensors: HashMap<String, StoredTensor>,
}

impl Storages for Tables {
    fn storage(&self, key: &str) -> Result<Option<Segment>, Fault> {
        Ok(self.storages.get(key).map(|(_, segment)| *segment))
    }

    fn tensor(&self, key: &str) -> Option<&StoredTensor> {
        self.tensors.get(key)
    }
}

pub(crate) fn read_tar(source: &Source) -> Result<Contents, Fault> {
    let members = members(source)?;
    let member = |name: &str| {
        let missing = || Fault::Format {
            what: "a tar archive without storages, tensors and pickle",
        };
        members.get(name).copied().ok_or_else(missing)
    };
    let (storages, tensors, pickle) = (member("storages")?, member("tensors")?, member("pickle")?);
    let mut tables = Tables {
        storages: HashMap::new(),
        tensors: HashMap::new(),
    };
    tables.read_storages(source, storages)?;
    tables.read_tensors(source, tensors)?;
    let graph = parse_at(source, &mut pickle.offset.clone())?;
    build(&graph, &tables, Format::PthTar)
}

fn damaged(problem: &str) -> Fault {
    Fault::Archive(problem.to_owned())
}

/// Files of the archive.
fn members(source: &Source) -> Result<HashMap<String, Segment>, Fault> {
    let mut found = HashMap::new();
    let mut at = 0;
    for _ in 0..MAX_MEMBERS {
        let header = source.part(at, BLOCK, "a tar archive")?;
        // Blocks of zeros are the end.
        if header.iter().all(|&byte| byte == 0) {
            return Ok(found);
        }
        let text = |range: std::ops::Range<usize>| {
            let field = header[range].split(|&byte| byte == 0).next().unwrap_or(&[]);
            String::from_utf8_lossy(field).trim().to_owned()
        };
        let bytes =
            u64::from_str_radix(&text(124..136), 8).map_err(|_| damaged("the size of a member is not a number"))?;
        let offset = at + BLOCK;
        let end = bytes
            .checked_next_multiple_of(BLOCK)
            .and_then(|bytes| offset.checked_add(bytes));
        at = end
            .filter(|_| offset + bytes <= source.len())
            .ok_or_else(|| Fault::truncated("a tar archive"))?;
        if matches!(header[156], 0 | b'0') {
            let name = text(0..100);
            found.insert(name.trim_start_matches("./").to_owned(), Segment { offset, bytes });
        }
    }
    Err(Fault::Limit {
        what: "members of the archive",
        limit: MAX_MEMBERS as u64,
    })
}

impl Tables {
    /// A count; for each storage its key, place and class, the number of values and the values; then a list of views.
    fn read_storages(&mut self, source: &Source, part: Segment) -> Result<(), Fault> {
        let mut at = part.offset;
        let count = parse_at(source, &mut at)?;
        let count = count.int(count.root).filter(|count| (0..=MAX_TENSORS).contains(count));
        let count = count.ok_or_else(|| damaged("the number of storages is missing or too large"))?;
        for _ in 0..count {
            let entry = parse_at(source, &mut at)?;
            let [key, _place, class] = members_of(&entry)?;
            let dtype = storage_type(&entry, class).ok_or_else(|| damaged("the class of a storage is not known"))?;
            let bytes = u64::from_le_bytes(fixed(source, &mut at)?).checked_mul(dtype.bytes() as u64);
            let bytes = bytes.filter(|bytes| {
                at.checked_add(*bytes)
                    .is_some_and(|end| end <= part.offset + part.bytes)
            });
            let bytes = bytes.ok_or_else(|| Fault::truncated("a storage"))?;
            self.storages
                .insert(key_text(&entry, key)?, (dtype, Segment { offset: at, bytes }));
            at += bytes;
        }
        let views = parse_at(source, &mut at)?;
        for &view in views.members(views.root).unwrap_or(&[]) {
            let Some(&[target, root, first, count]) = views.members(view) else {
                return Err(damaged("a view of a storage is not valid"));
            };
            let known = self.storages.get(&key_text(&views, root)?);
            let &(dtype, root) = known.ok_or_else(|| damaged("a view of a storage that is missing"))?;
            let bytes = |id| {
                let values = u64::try_from(views.int(id)?).ok()?;
                values.checked_mul(dtype.bytes() as u64)
            };
            let view = bytes(first)
                .zip(bytes(count))
                .filter(|(first, bytes)| first.checked_add(*bytes).is_some_and(|end| end <= root.bytes));
            let (first, bytes) = view.ok_or_else(|| damaged("a view reaches past the end of its storage"))?;
            let segment = Segment {
                offset: root.offset + first,
                bytes,
            };
            self.storages.insert(key_text(&views, target)?, (dtype, segment));
        }
        Ok(())
    }

    /// A count; for each tensor its key, storage and class, then dimensions, shape, strides and first value.
    fn read_tensors(&mut self, source: &Source, part: Segment) -> Result<(), Fault> {
        let mut at = part.offset;
        let count = parse_at(source, &mut at)?;
        let count = count.int(count.root).filter(|count| (0..=MAX_TENSORS).contains(count));
        let count = count.ok_or_else(|| damaged("the number of tensors is missing or too large"))?;
        for _ in 0..count {
            let entry = parse_at(source, &mut at)?;
            let [key, storage, _class] = members_of(&entry)?;
            let key = key_text(&entry, key)?;
            let dims = u32::from_le_bytes(fixed(source, &mut at)?);
            if dims > MAX_DIMS {
                return Err(Fault::tensor(&key, format!("{dims} dimensions")));
            }
            // Dimensions were once written as eight bytes.
            fixed::<4>(source, &mut at)?;
            let mut numbers = Vec::new();
            for _ in 0..2 * dims + 1 {
                let number = i64::from_le_bytes(fixed(source, &mut at)?);
                numbers.push(u64::try_from(number).map_err(|_| Fault::tensor(&key, "a negative size or stride"))?);
            }
            let known = self.storages.get(&key_text(&entry, storage)?);
            let &(dtype, storage) = known.ok_or_else(|| Fault::tensor(&key, "its storage is missing"))?;
            let (shape, rest) = numbers.split_at(dims as usize);
            let (strides, first) = rest.split_at(dims as usize);
            let shape: Option<Vec<usize>> = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
            let shape = shape.ok_or_else(|| Fault::tensor(&key, "an impossible shape"))?;
            let tensor = StoredTensor::new(dtype, shape, strides.to_vec(), first[0], storage);
            let tensor = tensor.map_err(|problem| Fault::tensor(&key, problem))?;
            self.tensors.insert(key, tensor);
        }
        Ok(())
    }
}

fn fixed<const N: usize>(source: &Source, at: &mut u64) -> Result<[u8; N], Fault> {
    let bytes = source.part(*at, N as u64, "a tar archive")?;
    *at += N as u64;
    Ok(bytes.try_into().expect("as many bytes"))
}

fn members_of<const N: usize>(graph: &Graph) -> Result<[Id; N], Fault> {
    let members = graph.members(graph.root).and_then(|members| members.try_into().ok());
    members.ok_or_else(|| damaged("a storage or tensor is described by something else than three values"))
}

/// Keys are numbers or texts of numbers.
fn key_text(graph: &Graph, id: Id) -> Result<String, Fault> {
    let text = graph.short_text(id).map(|text| text.into_owned());
    let text = text.or_else(|| graph.int(id).map(|number| number.to_string()));
    text.ok_or_else(|| damaged("a key is not a number"))
}
