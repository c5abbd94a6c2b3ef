//! The signature of a CUDA kernel that CubeCL generated: its arguments, and the layout of its constants.
//!
//! The stub driver, which is built with `rustc` alone, and `cuda-check --ledger` share this file.

/// What a launch needs to know of a kernel's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The entry point's name.
    pub name: String,
    /// The buffers, in the order of the arguments and of the lengths.
    pub buffers: Vec<Buffer>,
    /// Descriptors of the copy engine among the arguments, which come first; they describe the first buffers.
    pub tensor_maps: usize,
    /// Whether an argument holds shapes and strides.
    pub has_dynamic_meta: bool,
    /// Whether the constants are an argument that holds them, and not a pointer to a buffer (sm_75).
    pub constants_in_place: bool,
    /// Bytes of the constants before the lengths of the buffers.
    pub scalar_bytes: usize,
    /// Words of the lengths: of every buffer, of every tensor in it, and offsets of shapes and strides.
    pub meta_words: usize,
    /// Bytes of one of these words: 4, or 8 for a buffer of more than 2³² elements.
    pub word_bytes: usize,
}

/// A buffer among the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes of one element of the argument's type, such as 16 for four floats.
    pub element_bytes: usize,
    /// Values in one element.
    pub width: usize,
    /// Whether the kernel reads it.
    pub is_read: bool,
    /// Whether the kernel writes it.
    pub is_written: bool,
}

/// Scalars of cubek's product of batches; its implicit products have more.
pub const PRODUCT_SCALARS: usize = 28;

/// Number of products in a launch, from its scalars: the first word of a batch's layout.
pub fn batch(scalars: &[u64]) -> u64 {
    match scalars {
        [batch, ..] if scalars.len() == PRODUCT_SCALARS => (*batch).max(1),
        _ => 1,
    }
}

impl Signature {
    /// Parses the source of a kernel; `None` if it is not one of CubeCL's.
    pub fn of(source: &str) -> Option<Self> {
        let declaration = source.split_once("__global__ void")?.1;
        let declaration = match declaration.trim_start().strip_prefix("__launch_bounds__(") {
            Some(bounds) => bounds.split_once(')')?.1,
            None => declaration,
        };
        let (name, rest) = declaration.split_once('(')?;
        let (parameters, body) = rest.split_once("\n)")?;
        let mut signature = Self {
            name: name.trim().to_owned(),
            buffers: Vec::new(),
            tensor_maps: 0,
            has_dynamic_meta: false,
            constants_in_place: false,
            scalar_bytes: 0,
            meta_words: 0,
            word_bytes: 4,
        };
        for parameter in parameters.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let name = parameter.rsplit([' ', '*']).next()?;
            if name == "dynamic_meta" {
                signature.has_dynamic_meta = true;
            } else if name == "info" {
                signature.constants_in_place = parameter.contains("__grid_constant__");
            } else if parameter.contains("CUtensorMap") {
                signature.tensor_maps += 1;
            } else {
                let (element_bytes, width) = element(parameter)?;
                let (is_read, is_written) = match parameter.starts_with("const ") {
                    true => (true, false),
                    false => uses(body, name),
                };
                signature.buffers.push(Buffer {
                    element_bytes,
                    width,
                    is_read,
                    is_written,
                });
            }
        }
        // No line names the buffers that the copy engine loads tiles of; our recipes store none with it.
        for buffer in signature.buffers.iter_mut().take(signature.tensor_maps) {
            (buffer.is_read, buffer.is_written) = (true, false);
        }
        signature.constants(source);
        Some(signature)
    }

    /// Number of the tensors whose shapes are among the constants.
    pub fn tensors(&self) -> usize {
        self.meta_words.saturating_sub(2 * self.buffers.len()) / 3
    }

    /// Reads the fields of `struct info_st`.
    fn constants(&mut self, source: &str) {
        let Some(fields) = source
            .split_once("struct info_st {")
            .and_then(|(_, rest)| rest.split_once("};"))
        else {
            return;
        };
        for field in fields.0.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            let Some((kind, rest)) = field.split_once(' ') else {
                continue;
            };
            let count = rest
                .split_once('[')
                .and_then(|(_, rest)| rest.strip_suffix(']'))
                .and_then(|count| count.parse().ok())
                .unwrap_or(1);
            let bytes = scalar(kind).map_or(4, |(bytes, width)| bytes * width);
            if rest.starts_with("static_meta") {
                (self.meta_words, self.word_bytes) = (count, bytes);
            } else {
                self.scalar_bytes += (count * bytes).next_multiple_of(8);
            }
        }
    }
}

/// Bytes and values of an element of a pointer's target.
fn element(parameter: &str) -> Option<(usize, usize)> {
    let kind = parameter.trim_start_matches("const ").split('*').next()?.trim();
    scalar(kind)
}

/// Bytes and values of a type such as `float_4`, `uint32` or `__half`.
fn scalar(kind: &str) -> Option<(usize, usize)> {
    let (base, width) = match kind.rsplit_once('_') {
        Some((base, width)) if width.bytes().all(|byte| byte.is_ascii_digit()) && !width.is_empty() => {
            (base, width.parse().ok()?)
        }
        _ => (kind, 1),
    };
    let bytes = match base {
        "double" | "uint64" | "int64" => 8,
        "float" | "uint32" | "int32" | "uint" | "int" | "__half2" | "__nv_bfloat162" => 4,
        "__half" | "__nv_bfloat16" | "uint16" | "int16" => 2,
        "bool" | "uint8" | "int8" => 1,
        _ => return None,
    };
    Some((bytes * width, width))
}

/// Whether a buffer that may be written is read, and whether it is written. Passing its address counts as writing: that is how
/// tiles of matrix units are stored.
fn uses(body: &str, name: &str) -> (bool, bool) {
    let (mut reads, mut writes) = (false, false);
    for line in body.lines() {
        for (at, _) in line.match_indices(name) {
            let before = line[..at].chars().next_back();
            let after = &line[at + name.len()..];
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                || after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            {
                continue;
            }
            let is_target = line.trim_start().starts_with(name) && after.contains(" = ");
            let is_value = line.contains(&format!("= {name}["));
            match (is_target, is_value) {
                (true, _) => writes = true,
                (false, true) => reads = true,
                (false, false) => writes = true,
            }
        }
    }
    // An argument that is used in no known way is an output.
    (reads, writes || !reads)
}
