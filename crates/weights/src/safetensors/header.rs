//! The header of a `.safetensors` file. Its tensors follow one another without gaps to the end of the file, as the format wants.

use crate::contents::{Contents, Format};
use crate::dtype::Dtype;
use crate::error::{Fault, quoted};
use crate::source::Source;
use crate::stored::{Segment, StoredTensor};
use crate::tree::Tree;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Largest header, in bytes, as in the format's own reader.
const MAX_HEADER: u64 = 100_000_000;

/// Whether a file that begins with `start` is of this format: a length, then JSON.
pub(crate) fn is_safetensors(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{')
}

#[derive(Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The JSON object of the header, in order. Two equal names are an error.
#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Described)>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("names and tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                header.metadata = map.next_value::<Option<_>>()?.unwrap_or_default();
            } else {
                let described = map
                    .next_value()
                    .map_err(|error| A::Error::custom(format!("{}: {error}", quoted(&name))))?;
                header.tensors.push((name, described));
            }
        }
        Ok(header)
    }
}

pub(crate) fn read_safetensors(source: &Source) -> Result<Contents, Fault> {
    let length = source.part(0, 8, "the header")?;
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    if length > MAX_HEADER {
        return Err(Fault::Header(format!(
            "a header of {length} bytes is over the limit of {MAX_HEADER}"
        )));
    }
    let start = 8 + length;
    let bytes = source.part(8, length, "the header")?;
    let header: Header = serde_json::from_slice(&bytes).map_err(|error| {
        let text: String = error
            .to_string()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(300)
            .collect();
        Fault::Header(text)
    })?;
    drop(bytes);
    let held = source.len() - start;
    let tensors = header.tensors.into_iter().map(|(name, described)| {
        let tensor = stored(&described, start, held).map_err(|problem| match problem {
            Some(problem) => Fault::tensor(&name, problem),
            None => Fault::truncated(format!("the tensor {}", quoted(&name))),
        })?;
        Ok((name, tensor, described.data_offsets))
    });
    let tensors: Vec<(String, StoredTensor, (u64, u64))> = tensors.collect::<Result<_, Fault>>()?;
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&index| tensors[index].2);
    let mut end = 0;
    for index in order {
        let (name, _, (first, last)) = &tensors[index];
        if *first != end {
            let how = if *first < end {
                "overlaps another tensor"
            } else {
                "begins after a gap"
            };
            return Err(Fault::tensor(name, how));
        }
        end = *last;
    }
    if end != held {
        return Err(Fault::Header(format!("{} bytes follow the last tensor", held - end)));
    }
    let tree = tensors.iter().enumerate();
    let tree = Tree::Dict(
        tree.map(|(index, (name, ..))| (name.clone(), Tree::Tensor(index)))
            .collect(),
    );
    let contents = Contents {
        format: Format::Safetensors,
        tensors: tensors.into_iter().map(|(name, tensor, _)| (name, tensor)).collect(),
        tree,
        metadata: header.metadata,
    };
    contents.checked()
}

/// `Err(None)` if the file ends too early.
fn stored(described: &Described, start: u64, held: u64) -> Result<StoredTensor, Option<String>> {
    let Described {
        dtype,
        shape,
        data_offsets: (first, last),
    } = described;
    let known = Dtype::of_safetensors_name(dtype);
    let dtype = known.ok_or_else(|| format!("its type {} is not known", quoted(dtype)))?;
    let values = shape
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size as u64));
    let bytes = values.and_then(|values| values.checked_mul(dtype.bytes() as u64));
    let given = last.checked_sub(*first);
    if bytes.is_none() || bytes != given {
        return Err(Some(format!(
            "{} of shape {shape:?} does not fill bytes {first} to {last}",
            dtype.safetensors_name()
        )));
    }
    if *last > held {
        return Err(None);
    }
    let segment = Segment {
        offset: start + first,
        bytes: last - first,
    };
    StoredTensor::contiguous(dtype, shape.clone(), segment).map_err(Some)
}
