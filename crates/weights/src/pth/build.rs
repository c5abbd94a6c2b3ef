//! Tensors and tree from the graph of a pickle: the list of everything that is built.
//!
//! Tensors and parameters are recognised by the function that would rebuild them, storages by their class. Dicts, lists, numbers
//! and texts are taken as they are. Everything else is [`Tree::Opaque`].

use crate::contents::{Contents, Format};
use crate::dtype::Dtype;
use crate::error::{Fault, quoted};
use crate::pickle::{Graph, Id, Node, Object, parse};
use crate::source::Source;
use crate::stored::{Segment, StoredTensor};
use crate::tree::Tree;
use std::collections::{BTreeMap, HashMap};

/// Largest pickle, in bytes.
pub(super) const MAX_PICKLE: u64 = 128 << 20;
/// Bytes of a pickle that are tried first.
const FIRST_READ: u64 = 512;
/// Deepest nesting of dicts and lists.
const MAX_DEPTH: usize = 100;
/// Bytes of the tree, texts and names included. A pickle shares values, a tree repeats them.
const MAX_TREE: usize = 192 << 20;
/// What a value of the tree costs beside its text.
const VALUE_BYTES: usize = 64;
/// Most dimensions of a tensor, as in torch.
const MAX_DIMS: usize = 64;
/// Most flags of a tensor, such as `conj`.
const MAX_FLAGS: usize = 16;
/// Longest text that is held whole.
const MAX_TEXT: usize = 1 << 20;

/// Where a container has its storages.
pub(super) trait Storages {
    /// Bytes of a storage, `None` if the file has none of this key.
    fn storage(&self, key: &str) -> Result<Option<Segment>, Fault>;
    /// A tensor that is stored outside of the pickle.
    fn tensor(&self, key: &str) -> Option<&StoredTensor>;
}

/// The pickle at `at` of the file; `at` is moved behind it.
pub(super) fn parse_at(source: &Source, at: &mut u64) -> Result<Graph, Fault> {
    let left = source.len().saturating_sub(*at);
    let mut bytes = left.min(FIRST_READ);
    loop {
        match parse(&source.part(*at, bytes, "a pickle")?) {
            // It may only be longer than what was read.
            Err(Fault::Truncated { .. }) if bytes < left => {
                if bytes >= MAX_PICKLE {
                    return Err(Fault::Limit {
                        what: "bytes of the pickle",
                        limit: MAX_PICKLE,
                    });
                }
                bytes = left.min(4 * bytes);
            }
            graph => {
                let graph = graph?;
                *at += graph.consumed as u64;
                return Ok(graph);
            }
        }
    }
}

/// Type of a storage by its class. The values of an untyped one are bytes.
pub(super) fn storage_type(graph: &Graph, class: Id) -> Option<Dtype> {
    let (module, name) = graph.global(class)?;
    match (&*module, &*name) {
        ("torch.storage" | "torch", "UntypedStorage") => Some(Dtype::U8),
        ("torch" | "torch.cuda", name) => Dtype::of_storage_class(name),
        _ => None,
    }
}

/// Types of all storages of a legacy file, by key.
pub(super) fn storage_types(graph: &Graph) -> Result<HashMap<String, Dtype>, Fault> {
    let mut types = HashMap::new();
    for node in &graph.nodes {
        if let Node::Persistent(id) = node
            && let Some([_, class, key, ..]) = graph.members(*id)
            && let (Some(key), Some(dtype)) = (graph.short_text(*key), storage_type(graph, *class))
        {
            types.insert(key.into_owned(), dtype);
        }
    }
    Ok(types)
}

/// Tensors and tree of a pickle.
pub(super) fn build(graph: &Graph, storages: &dyn Storages, format: Format) -> Result<Contents, Fault> {
    let mut builder = Builder {
        graph,
        storages,
        tensors: Vec::new(),
        path: Vec::new(),
        spent: 0,
    };
    let tree = builder.tree(graph.root)?;
    let contents = Contents {
        format,
        tensors: builder.tensors,
        tree,
        metadata: BTreeMap::new(),
    };
    contents.checked()
}

struct Builder<'a> {
    graph: &'a Graph,
    storages: &'a dyn Storages,
    tensors: Vec<(String, StoredTensor)>,
    path: Vec<String>,
    spent: usize,
}

/// A storage as the pickle refers to it.
struct StorageRef {
    segment: Segment,
    /// `None` if untyped.
    dtype: Option<Dtype>,
}

/// A function that returns a tensor.
enum Rebuild {
    Tensor,
    /// With a type of its own.
    TensorOfType,
    Parameter,
    Subclass,
}

impl Rebuild {
    fn of(graph: &Graph, class: Id) -> Option<Self> {
        let (module, name) = graph.global(class)?;
        match (&*module, &*name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::Tensor),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Self::TensorOfType),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Some(Self::Parameter),
            ("torch._tensor", "_rebuild_from_type_v2") => Some(Self::Subclass),
            _ => None,
        }
    }
}

impl Builder<'_> {
    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spent += VALUE_BYTES + bytes;
        match self.spent > MAX_TREE {
            true => Err(Fault::Limit {
                what: "bytes of all values",
                limit: MAX_TREE as u64,
            }),
            false => Ok(()),
        }
    }

    /// The value `id` at the current path.
    fn tree(&mut self, id: Id) -> Result<Tree, Fault> {
        self.spend(0)?;
        if self.path.len() > MAX_DEPTH {
            return Err(Fault::Limit {
                what: "nesting",
                limit: MAX_DEPTH as u64,
            });
        }
        let graph = self.graph;
        Ok(match graph.node(id) {
            Node::None => Tree::None,
            Node::Bool(value) => Tree::Bool(*value),
            Node::Int(value) => Tree::Int(*value),
            Node::Float(value) => Tree::Float(*value),
            Node::BigInt => opaque("a large integer"),
            Node::Text(span) => {
                let text = graph.text_of(span);
                self.spend(text.len())?;
                match text.len() <= MAX_TEXT {
                    true => Tree::Text(text.into_owned()),
                    false => opaque(format!("a text of {} bytes", text.len())),
                }
            }
            Node::Bytes(span) => opaque(format!("{} bytes", span.len())),
            Node::List(members) | Node::Tuple(members) | Node::Set(members) => self.list(members)?,
            Node::Dict(entries) => Tree::Dict(self.entries(entries)?),
            Node::Global(..) => opaque(self.class_name(id)),
            Node::Persistent(name) => self.persistent(*name)?,
            Node::Object(object) => self.object(id, object)?,
        })
    }

    fn list(&mut self, members: &[Id]) -> Result<Tree, Fault> {
        let mut trees = Vec::new();
        for (number, &member) in members.iter().enumerate() {
            self.path.push(number.to_string());
            trees.push(self.tree(member)?);
            self.path.pop();
        }
        Ok(Tree::List(trees))
    }

    /// Of equal keys the last counts, as in Python.
    fn entries(&mut self, entries: &[(Id, Id)]) -> Result<Vec<(String, Tree)>, Fault> {
        let mut last: HashMap<(bool, String), usize> = HashMap::new();
        let mut order: Vec<(String, Id)> = Vec::new();
        for &(key, value) in entries {
            let text = self.key(key, 0);
            self.spend(2 * text.len())?;
            let is_text = self.graph.text(key).is_some();
            match last.get(&(is_text, text.clone())) {
                Some(&place) => order[place].1 = value,
                None => {
                    last.insert((is_text, text.clone()), order.len());
                    order.push((text, value));
                }
            }
        }
        drop(last);
        let mut trees = Vec::with_capacity(order.len());
        for (key, value) in order {
            self.path.push(key.clone());
            trees.push((key, self.tree(value)?));
            self.path.pop();
        }
        Ok(trees)
    }

    /// A key as text.
    fn key(&self, id: Id, depth: usize) -> String {
        match self.graph.node(id) {
            Node::Text(span) => self.graph.text_of(span).into_owned(),
            Node::Int(value) => value.to_string(),
            Node::Float(value) => value.to_string(),
            Node::Bool(true) => "True".to_owned(),
            Node::Bool(false) => "False".to_owned(),
            Node::None => "None".to_owned(),
            Node::Bytes(span) => String::from_utf8_lossy(self.graph.span(span)).into_owned(),
            Node::Tuple(members) if depth == 0 && members.len() <= 16 => {
                let members: Vec<String> = members.iter().map(|&member| self.key(member, 1)).collect();
                format!("({})", members.join(", "))
            }
            _ => format!("<{}>", self.class_name(id)),
        }
    }

    /// Name of a class or function, or of the kind of another value.
    fn class_name(&self, id: Id) -> String {
        match self.graph.node(id) {
            Node::Global(..) => {
                let (module, name) = self.graph.global(id).expect("it is a global");
                let text = format!("{module}.{name}");
                text.chars()
                    .filter(|character| !character.is_control())
                    .take(200)
                    .collect()
            }
            // A module whose source was stored with it.
            Node::Persistent(id) => match self.graph.members(*id) {
                Some([_, class, ..]) if matches!(self.graph.node(*class), Node::Global(..)) => self.class_name(*class),
                _ => "a stored object".to_owned(),
            },
            _ => "an object".to_owned(),
        }
    }

    fn object(&mut self, id: Id, object: &Object) -> Result<Tree, Fault> {
        let graph = self.graph;
        if let Some(tensor) = self.rebuilt(id, 0) {
            let tensor = tensor?;
            return self.tensor(tensor);
        }
        let arguments = graph.members(object.arguments).unwrap_or(&[]);
        let class = self.class_name(object.class);
        match (class.as_str(), arguments) {
            // Its state is `_metadata`, versions of modules.
            ("collections.OrderedDict", []) => return Ok(Tree::Dict(self.entries(&object.entries)?)),
            // As Python 2 writes it: a list of pairs.
            ("collections.OrderedDict", [pairs]) => {
                let pairs: Option<Vec<(Id, Id)>> = graph.members(*pairs).and_then(|pairs| {
                    let pair = |&pair: &Id| match graph.members(pair) {
                        Some(&[key, value]) => Some((key, value)),
                        _ => None,
                    };
                    pairs.iter().map(pair).collect()
                });
                if let Some(mut pairs) = pairs {
                    pairs.extend(&object.entries);
                    return Ok(Tree::Dict(self.entries(&pairs)?));
                }
            }
            ("collections.defaultdict", _) => return Ok(Tree::Dict(self.entries(&object.entries)?)),
            (
                "torch.Size" | "builtins.set" | "__builtin__.set" | "builtins.frozenset" | "__builtin__.frozenset",
                [list],
            ) => {
                if let Some(members) = graph.members(*list) {
                    return self.list(members);
                }
            }
            _ => {}
        }
        let mut parts = self.entries(&object.entries)?;
        if let Some(state) = object.state {
            self.state(state, &mut parts)?;
        }
        for (name, members) in [("args", arguments), ("items", &object.items)] {
            if !members.is_empty() {
                self.path.push(name.to_owned());
                parts.push((name.to_owned(), self.list(members)?));
                self.path.pop();
            }
        }
        Ok(Tree::Opaque { class, parts })
    }

    /// The attributes of an object. A module's parameters, buffers and children are named as in its state dict.
    fn state(&mut self, state: Id, parts: &mut Vec<(String, Tree)>) -> Result<(), Fault> {
        let Node::Dict(entries) = self.graph.node(state) else {
            self.path.push("state".to_owned());
            parts.push(("state".to_owned(), self.tree(state)?));
            self.path.pop();
            return Ok(());
        };
        for &(key, value) in entries {
            let name = self.key(key, 0);
            let inner = match (name.as_str(), self.graph.node(value)) {
                ("_parameters" | "_buffers" | "_modules", Node::Dict(entries)) => entries,
                ("_parameters" | "_buffers" | "_modules", Node::Object(object)) => &object.entries,
                _ => &vec![(key, value)],
            };
            parts.extend(self.entries(inner)?);
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: StoredTensor) -> Result<Tree, Fault> {
        let name = match self.path.is_empty() {
            true => "tensor".to_owned(),
            false => self.path.join("."),
        };
        self.spend(2 * name.len())?;
        self.tensors.push((name, tensor));
        Ok(Tree::Tensor(self.tensors.len() - 1))
    }

    fn fault(&self, problem: impl Into<String>) -> Fault {
        Fault::tensor(&self.path.join("."), problem)
    }

    /// The tensor that a call would return, if it is a call of that kind.
    fn rebuilt(&self, id: Id, depth: usize) -> Option<Result<StoredTensor, Fault>> {
        let graph = self.graph;
        match graph.node(id) {
            Node::Object(object) => {
                let rebuild = Rebuild::of(graph, object.class)?;
                let arguments = graph.members(object.arguments)?;
                self.call(rebuild, arguments, depth)
            }
            Node::Persistent(name) if depth > 0 => {
                let tensor = self.stored_outside(*name)?;
                Some(Ok(tensor.clone()))
            }
            _ => None,
        }
    }

    fn call(&self, rebuild: Rebuild, arguments: &[Id], depth: usize) -> Option<Result<StoredTensor, Fault>> {
        if depth > 4 {
            return Some(Err(self.fault("its parameters are nested too deep")));
        }
        match (rebuild, arguments) {
            (Rebuild::Parameter, [data, ..]) => self.rebuilt(*data, depth + 1),
            // A function, a class, and the function's arguments.
            (Rebuild::Subclass, [function, _, arguments, ..]) => {
                let rebuild = Rebuild::of(self.graph, *function)?;
                self.call(rebuild, self.graph.members(*arguments)?, depth + 1)
            }
            (Rebuild::Tensor, [storage, first, shape, strides, rest @ ..]) => {
                let view = [*storage, *first, *shape, *strides];
                Some(self.view(view, None, rest.get(2).copied()))
            }
            (Rebuild::TensorOfType, [storage, first, shape, strides, _, _, dtype, rest @ ..]) => {
                let view = [*storage, *first, *shape, *strides];
                Some(self.view(view, Some(*dtype), rest.first().copied()))
            }
            _ => Some(Err(self.fault("arguments are missing"))),
        }
    }

    /// A tensor from its storage, first value, shape and strides.
    fn view(
        &self,
        [storage, first, shape, strides]: [Id; 4],
        dtype: Option<Id>,
        metadata: Option<Id>,
    ) -> Result<StoredTensor, Fault> {
        let graph = self.graph;
        let Node::Persistent(name) = graph.node(storage) else {
            return Err(self.fault("its storage is not in the file"));
        };
        let storage = self.storage(*name)?;
        if let Some(Node::Dict(flags)) = metadata.map(|metadata| graph.node(metadata))
            && (flags.len() > MAX_FLAGS
                || flags
                    .iter()
                    .any(|(_, value)| matches!(graph.node(*value), Node::Bool(true))))
        {
            return Err(self.fault("it is a negated or conjugated view; save it with .resolve_neg().resolve_conj()"));
        }
        let dtype = match dtype {
            None => storage.dtype.ok_or_else(|| self.fault("its type is missing"))?,
            Some(dtype) => {
                let known = graph.global(dtype).and_then(|(_, name)| Dtype::of_torch_name(&name));
                known.ok_or_else(|| self.fault(format!("its type {} is not known", quoted(&self.class_name(dtype)))))?
            }
        };
        let numbers = |id: Id| -> Option<Vec<u64>> {
            let members = match graph.node(id) {
                Node::Object(size) => graph.members(*graph.members(size.arguments)?.first()?)?,
                _ => graph.members(id)?,
            };
            let number = |&id: &Id| u64::try_from(graph.int(id)?).ok();
            let members = Some(members).filter(|members| members.len() <= MAX_DIMS)?;
            members.iter().map(number).collect()
        };
        let bad = |what: &str| self.fault(format!("its {what} is not a list of at most 64 non-negative integers"));
        let shape = numbers(shape).ok_or_else(|| bad("shape"))?;
        let shape: Option<Vec<usize>> = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
        let shape = shape.ok_or_else(|| bad("shape"))?;
        let strides = numbers(strides).ok_or_else(|| bad("list of strides"))?;
        let first = graph.int(first).and_then(|first| u64::try_from(first).ok());
        let first = first.ok_or_else(|| self.fault("its offset is not a non-negative integer"))?;
        StoredTensor::new(dtype, shape, strides, first, storage.segment).map_err(|problem| self.fault(problem))
    }

    /// `('storage', class, key, place, values)`, before torch 1.6 with a view `(key, first, values)` of it.
    fn storage(&self, name: Id) -> Result<StorageRef, Fault> {
        let graph = self.graph;
        let Some([_, class, key, _, count, rest @ ..]) = graph.members(name) else {
            return Err(self.fault("the reference to its storage is not valid"));
        };
        let key = graph.short_text(*key);
        let key = key.ok_or_else(|| self.fault("its storage has no name, or too long a name"))?;
        let element = storage_type(graph, *class).ok_or_else(|| {
            let class = quoted(&self.class_name(*class));
            self.fault(format!(
                "its storage is a {class}, which is not one of torch's storages"
            ))
        })?;
        let untyped = graph.global(*class).is_some_and(|(_, name)| name == "UntypedStorage");
        let found = self.storages.storage(&key)?;
        let missing = || self.fault(format!("its storage {} is missing in the file", quoted(&key)));
        let mut segment = found.ok_or_else(missing)?;
        let bytes = |values: Id| {
            let values = graph.int(values).and_then(|values| u64::try_from(values).ok());
            values.and_then(|values| values.checked_mul(element.bytes() as u64))
        };
        let short = || {
            let (key, bytes) = (quoted(&key), segment.bytes);
            self.fault(format!(
                "its storage {key} has only {bytes} bytes; is the file complete?"
            ))
        };
        let needed = bytes(*count)
            .filter(|&needed| needed <= segment.bytes)
            .ok_or_else(short)?;
        let mut end = needed;
        if let Some(&view) = rest.first()
            && let Some(&[_, first, count]) = graph.members(view)
        {
            let view = bytes(first).zip(bytes(count));
            let inside =
                view.filter(|(first, bytes)| first.checked_add(*bytes).is_some_and(|last| last <= segment.bytes));
            let (first, bytes) = inside.ok_or_else(short)?;
            segment.offset += first;
            end = bytes;
        }
        segment.bytes = end;
        Ok(StorageRef {
            segment,
            dtype: Some(element).filter(|_| !untyped),
        })
    }

    /// The tensor that a tar archive stores under a number.
    fn stored_outside(&self, name: Id) -> Option<&StoredTensor> {
        let key = self.graph.short_text(name).map(|key| key.into_owned());
        let key = key.or_else(|| self.graph.int(name).map(|key| key.to_string()))?;
        self.storages.tensor(&key)
    }

    /// A value that is stored outside of the pickle: a tensor, a storage (as a flat tensor), or a class with its source.
    fn persistent(&mut self, name: Id) -> Result<Tree, Fault> {
        if let Some(tensor) = self.stored_outside(name) {
            let tensor = tensor.clone();
            return self.tensor(tensor);
        }
        let kind = self.graph.members(name).and_then(|members| members.first());
        if kind
            .and_then(|&kind| self.graph.text(kind))
            .is_none_or(|kind| kind != "storage")
        {
            return Ok(opaque("a stored object"));
        }
        let StorageRef { segment, dtype } = self.storage(name)?;
        let dtype = dtype.unwrap_or(Dtype::U8);
        let values = (segment.bytes / dtype.bytes() as u64) as usize;
        let tensor = StoredTensor::contiguous(dtype, vec![values], segment).map_err(|problem| self.fault(problem))?;
        self.tensor(tensor)
    }
}

fn opaque(class: impl Into<String>) -> Tree {
    Tree::Opaque {
        class: class.into(),
        parts: Vec::new(),
    }
}
