//! The contents of a weight file as a tree: dicts and lists down to tensors, numbers, texts and opaque objects.

/// A value in a weight file.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A tensor: its position in [`WeightsFile::tensors`](crate::WeightsFile::tensors).
    Tensor(usize),
    /// A dict: keys as text (an optimiser's are integers) and values, in the file's order.
    Dict(Vec<(String, Tree)>),
    /// A list, tuple or set.
    List(Vec<Tree>),
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A text.
    Text(String),
    /// An object of any other class, such as a NumPy number, which is not built: its class and stored parts.
    Opaque {
        /// Module and name of the class or function, such as `argparse.Namespace`.
        class: String,
        /// Its entries and attributes by name, then `args`, `items` and `state` where it has them.
        parts: Vec<(String, Tree)>,
    },
}

impl Tree {
    /// The value at a path of keys and numbers joined by dots, such as `optimizer.param_groups.0.lr`.
    ///
    /// Keys may contain dots themselves: `state_dict.conv1.weight` is the key `conv1.weight` of `state_dict`.
    pub fn get(&self, path: &str) -> Option<&Tree> {
        if path.is_empty() {
            return Some(self);
        }
        match self {
            Self::Dict(entries) | Self::Opaque { parts: entries, .. } => entries.iter().find_map(|(key, tree)| {
                let rest = path.strip_prefix(key.as_str())?;
                if rest.is_empty() {
                    return Some(tree);
                }
                tree.get(rest.strip_prefix('.')?)
            }),
            Self::List(members) => {
                let (index, rest) = path.split_once('.').unwrap_or((path, ""));
                members.get(index.parse::<usize>().ok()?)?.get(rest)
            }
            _ => None,
        }
    }
}
