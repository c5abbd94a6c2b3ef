//! Writer of a pickle of NumPy arrays, as detectron2 loads weights of other programs.

use super::values::{OutTensor, check};
use crate::dtype::Dtype;
use crate::error::{Fault, WeightsError};
use std::io::{self, Write};

/// Bytes of an array that the pickle's length field can count.
const MAX_BYTES: u64 = u32::MAX as u64;

/// Writes `{"model": {name: array}, "__author__": author, "matching_heuristics": True}`, protocol 3. The same arguments always give
/// the same bytes.
///
/// # Errors
/// If the values of a tensor do not fill its shape, are no f32, or are larger than 4 GiB, two tensors have the same name, or `out`
/// fails.
pub(crate) fn write_numpy_pickle(
    out: &mut impl Write,
    tensors: &[OutTensor<'_>],
    author: &str,
) -> Result<(), WeightsError> {
    check(tensors)?;
    for tensor in tensors {
        if tensor.values.dtype() != Dtype::F32 || tensor.values.bytes() > MAX_BYTES {
            return Err(Fault::tensor(tensor.name, "only float32 arrays below 4 GiB are written to a .pkl").into());
        }
    }
    Ok(write(out, tensors, author)?)
}

fn write(out: &mut impl Write, tensors: &[OutTensor<'_>], author: &str) -> io::Result<()> {
    out.write_all(b"\x80\x03}(")?;
    out.write_all(&text("model"))?;
    out.write_all(b"}(")?;
    for (number, OutTensor { name, shape, values }) in tensors.iter().enumerate() {
        out.write_all(&text(name))?;
        // _reconstruct(ndarray, (0,), b"b"), then its state: (1, shape, dtype, False, bytes).
        out.write_all(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01(")?;
        for &size in *shape {
            out.write_all(&int(size))?;
        }
        out.write_all(b"t")?;
        match number {
            // dtype("f4", False, True) with the state (3, "<", None, None, None, -1, -1, 0), remembered as 0.
            0 => {
                out.write_all(b"cnumpy\ndtype\n(")?;
                out.write_all(&text("f4"))?;
                out.write_all(b"\x89\x88tR(K\x03")?;
                out.write_all(&text("<"))?;
                out.write_all(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbq\x00")?;
            }
            _ => out.write_all(b"h\x00")?,
        }
        out.write_all(b"\x89B")?;
        out.write_all(&(values.bytes() as u32).to_le_bytes())?;
        values.write(out)?;
        out.write_all(b"tb")?;
    }
    out.write_all(b"u")?;
    out.write_all(&text("__author__"))?;
    out.write_all(&text(author))?;
    out.write_all(&text("matching_heuristics"))?;
    out.write_all(b"\x88u.")
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// An integer of eight bytes, of which the last is never a sign.
fn int(value: usize) -> Vec<u8> {
    [&[0x8a, 9][..], &(value as u64).to_le_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::{Graph, Node, parse};
    use crate::write::Values;

    /// The value of a key of a dict.
    fn get<'a>(graph: &'a Graph, dict: u32, key: &str) -> &'a Node {
        let Node::Dict(entries) = graph.node(dict) else {
            panic!("not a dict");
        };
        let found = entries
            .iter()
            .find(|(name, _)| graph.text(*name).as_deref() == Some(key));
        graph.node(found.expect("the key is there").1)
    }

    #[test]
    fn arrays_have_shape_type_and_bytes() {
        let values = [1.0f32, -2.5, 3.0, 4.0, 5.0, 6.0];
        let tensor = |name, shape, values| OutTensor {
            name,
            shape,
            values: Values::F32(values),
        };
        let tensors = [tensor("a.weight", &[2, 3], &values), tensor("b", &[1], &values[1..2])];
        let mut bytes = Vec::new();
        write_numpy_pickle(&mut bytes, &tensors, "the author").unwrap();
        let graph = parse(&bytes).unwrap();
        assert_eq!(graph.consumed, bytes.len());
        let Node::Dict(entries) = graph.node(graph.root) else {
            panic!("not a dict");
        };
        assert!(matches!(
            get(&graph, graph.root, "matching_heuristics"),
            Node::Bool(true)
        ));
        let Node::Text(author) = get(&graph, graph.root, "__author__") else {
            panic!("no author");
        };
        assert_eq!(graph.text_of(author), "the author");
        let model = entries[0].1;
        for (name, shape, expected) in [("a.weight", &[2, 3][..], &values[..]), ("b", &[1], &values[1..2])] {
            let Node::Object(array) = get(&graph, model, name) else {
                panic!("not an array");
            };
            let (module, class) = graph.global(array.class).unwrap();
            assert_eq!((&*module, &*class), ("numpy.core.multiarray", "_reconstruct"));
            let state = graph.members(array.state.unwrap()).unwrap();
            let found: Vec<i64> = graph
                .members(state[1])
                .unwrap()
                .iter()
                .map(|&id| graph.int(id).unwrap())
                .collect();
            assert_eq!(found, shape.iter().map(|&size| size as i64).collect::<Vec<_>>());
            let Node::Object(dtype) = graph.node(state[2]) else {
                panic!("no dtype");
            };
            assert_eq!(graph.text(graph.members(dtype.arguments).unwrap()[0]).unwrap(), "f4");
            assert_eq!(
                graph.text(graph.members(dtype.state.unwrap()).unwrap()[1]).unwrap(),
                "<"
            );
            let Node::Bytes(span) = graph.node(state[4]) else {
                panic!("no bytes");
            };
            let expected: Vec<u8> = expected.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(graph.span(span), expected);
        }
    }

    #[test]
    fn integers_are_refused() {
        let tensor = OutTensor {
            name: "count",
            shape: &[],
            values: Values::I64(&[1]),
        };
        assert!(write_numpy_pickle(&mut Vec::new(), &[tensor], "").is_err());
    }
}
