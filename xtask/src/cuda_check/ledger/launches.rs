//! The stub driver's record (`stubs/launches.rs`), read and summed up: launches that are equal in kernel and sizes are one entry.

use super::super::signature::{self, Buffer, Signature};
use super::kind::Kind;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Everything that a run launched and copied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Launches {
    /// Kernels, with the number of their launches.
    pub kernels: BTreeMap<Launch, f64>,
    /// Copies between host and device: (number, bytes) by direction.
    pub copies: BTreeMap<String, (f64, f64)>,
}

/// A kernel with the sizes that it was launched with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Launch {
    /// What it does.
    pub kind: Kind,
    /// Its name in the source.
    pub name: String,
    /// Blocks of threads.
    pub blocks: u64,
    /// Bytes of the buffers that it reads; each is counted once, up to the tensor in it.
    pub read: u64,
    /// Bytes of the buffers that it writes.
    pub written: u64,
    /// Floating-point operations of a product, two per multiplication; 0 for other kernels.
    pub operations: u64,
    /// Whether it multiplies on matrix units.
    pub on_matrix_units: bool,
    /// Bytes among `read` in tensors whose fastest axis is another one than that of the output.
    pub read_across: u64,
    /// The tensors' shapes and strides, for reading.
    pub shapes: String,
}

/// A tensor in a buffer, in values.
struct Tensor<'a> {
    shape: &'a [u64],
    strides: &'a [u64],
}

impl Tensor<'_> {
    /// Different values: an axis along which a value is repeated has stride 0.
    fn values(&self) -> u64 {
        self.axes().map(|(size, _)| size).product()
    }

    /// The axis whose neighbours are neighbours in memory.
    fn fastest(&self) -> Option<usize> {
        let axes = self.shape.iter().zip(self.strides).enumerate();
        axes.filter(|(_, (size, stride))| **size > 1 && **stride > 0)
            .min_by_key(|(axis, (_, stride))| (**stride, usize::MAX - axis))
            .map(|(axis, _)| axis)
    }

    fn axes(&self) -> impl Iterator<Item = (u64, u64)> {
        let axes = self.shape.iter().copied().zip(self.strides.iter().copied());
        axes.filter(|(_, stride)| *stride > 0)
    }
}

/// Signatures of the kernels in a folder of sources.
struct Sources<'a> {
    folder: &'a Path,
    known: HashMap<String, (Signature, bool)>,
}

impl Sources<'_> {
    fn get(&mut self, hash: &str) -> Result<&(Signature, bool)> {
        if !self.known.contains_key(hash) {
            let path = self.folder.join(format!("{hash}.cu"));
            let source = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let signature = Signature::of(&source).with_context(|| format!("{} has no kernel", path.display()))?;
            let on_matrix_units = source.contains("wmma::") || source.contains("mma.sync");
            self.known.insert(hash.to_owned(), (signature, on_matrix_units));
        }
        Ok(&self.known[hash])
    }
}

impl Launches {
    /// Reads a record; `folder` holds the kernels' sources.
    pub fn read(record: &str, folder: &Path) -> Result<Self> {
        let (mut launches, mut sources) = (
            Self::default(),
            Sources {
                folder,
                known: HashMap::new(),
            },
        );
        for line in record.lines() {
            launches
                .add(line, &mut sources)
                .with_context(|| format!("the record of launches has the line {line:?}"))?;
        }
        Ok(launches)
    }

    fn add(&mut self, line: &str, sources: &mut Sources<'_>) -> Result<()> {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            ["copy", direction, bytes] => {
                let copies = self.copies.entry(direction.to_owned()).or_default();
                copies.0 += 1.0;
                copies.1 += bytes.parse::<f64>()?;
            }
            ["kernel", hash, grid, scalars, words, shapes] => {
                let (signature, on_matrix_units) = sources.get(hash)?;
                let launch = Launch::new(
                    signature,
                    *on_matrix_units,
                    &numbers(grid)?,
                    &numbers(scalars)?,
                    &numbers(words)?,
                    &numbers(shapes)?,
                );
                *self.kernels.entry(launch).or_default() += 1.0;
            }
            _ => anyhow::bail!("it is neither a kernel nor a copy"),
        }
        Ok(())
    }

    /// What `longer` has more than this run, in each of `steps`.
    pub fn per_step(&self, longer: &Self, steps: f64) -> Self {
        let mut kernels = longer.kernels.clone();
        for (launch, count) in &self.kernels {
            *kernels.entry(launch.clone()).or_default() -= count;
        }
        kernels.retain(|_, count| *count != 0.0);
        kernels.values_mut().for_each(|count| *count /= steps);
        let mut copies = longer.copies.clone();
        for (direction, (count, bytes)) in &self.copies {
            let entry = copies.entry(direction.clone()).or_default();
            entry.0 -= count;
            entry.1 -= bytes;
        }
        copies.values_mut().for_each(|(count, bytes)| {
            *count /= steps;
            *bytes /= steps;
        });
        Self { kernels, copies }
    }
}

fn numbers(list: &str) -> Result<Vec<u64>> {
    match list {
        "-" => Ok(Vec::new()),
        list => Ok(list.split(',').map(str::parse).collect::<Result<_, _>>()?),
    }
}

impl Launch {
    fn new(
        signature: &Signature,
        on_matrix_units: bool,
        grid: &[u64],
        scalars: &[u64],
        words: &[u64],
        shapes: &[u64],
    ) -> Self {
        let tensors = tensors(signature, words, shapes);
        let bytes = |index: usize, buffer: &Buffer| {
            let whole = words.get(index).copied().unwrap_or(0) * buffer.element_bytes as u64;
            let value = (buffer.element_bytes / buffer.width.max(1)) as u64;
            // Tensors are known by number if every buffer is one.
            match tensors.get(index).filter(|_| tensors.len() == signature.buffers.len()) {
                Some(tensor) => whole.min(tensor.values() * value),
                None => whole,
            }
        };
        let sum = |wanted: &dyn Fn(usize, &Buffer) -> bool| {
            let buffers = signature.buffers.iter().enumerate();
            let chosen = buffers.filter(|(index, buffer)| wanted(*index, buffer));
            chosen.map(|(index, buffer)| bytes(index, buffer)).sum()
        };
        let output = signature.buffers.iter().position(|buffer| buffer.is_written);
        let fast = |index: usize| tensors.get(index).and_then(Tensor::fastest);
        let across = |index: usize, buffer: &Buffer| {
            let (Some(input), Some(output)) = (fast(index), output.and_then(fast)) else {
                return false;
            };
            buffer.is_read && tensors.len() == signature.buffers.len() && input != output
        };
        let values = |index: usize| {
            let buffer = signature.buffers.get(index).copied();
            words.get(index).copied().unwrap_or(0) * buffer.map_or(1, |buffer| buffer.width as u64)
        };
        let (kind, operations) = operations(&signature.name, scalars, &tensors, [0, 1, 2].map(values));
        let mut text: Vec<String> = tensors
            .iter()
            .map(|tensor| format!("{:?}/{:?}", tensor.shape, tensor.strides))
            .collect();
        if text.is_empty() {
            text = words.iter().map(u64::to_string).take(signature.buffers.len()).collect();
        }
        Self {
            kind,
            name: signature.name.clone(),
            blocks: grid.iter().product(),
            read: sum(&|_, buffer| buffer.is_read),
            written: sum(&|_, buffer| buffer.is_written),
            operations,
            on_matrix_units,
            read_across: sum(&across),
            shapes: text.join(" "),
        }
    }

    /// Bytes read and written.
    pub fn bytes(&self) -> u64 {
        self.read + self.written
    }
}

/// The tensors among the buffers: ranks, offsets of shapes and offsets of strides follow the two lengths of each buffer.
fn tensors<'a>(signature: &Signature, words: &[u64], shapes: &'a [u64]) -> Vec<Tensor<'a>> {
    let (count, base) = (signature.tensors(), 2 * signature.buffers.len());
    let tensor = |index: usize| {
        let word = |row: usize| words.get(base + row * count + index).map(|&word| word as usize);
        let (rank, shape, strides) = (word(0)?, word(1)?, word(2)?);
        Some(Tensor {
            shape: shapes.get(shape..shape + rank)?,
            strides: shapes.get(strides..strides + rank)?,
        })
    };
    (0..count).filter_map(tensor).collect()
}

/// The kind of a kernel and its floating-point operations. `values` are the sizes of the first three buffers: two factors and
/// their product.
fn operations(name: &str, scalars: &[u64], tensors: &[Tensor<'_>], values: [u64; 3]) -> (Kind, u64) {
    let kind = Kind::of(name);
    let [left, right, out] = values.map(|values| values as f64);
    match kind {
        Kind::Product => match implicit_depth(scalars) {
            Some(depth) => (Kind::ImplicitGemm, (2.0 * out * depth as f64) as u64),
            // b times [m, k] · [k, n] = [m, n]: the product of the three sizes is b³·(m·k·n)².
            None => {
                let batch = signature::batch(scalars) as f64;
                (kind, (2.0 * (left * right * out / batch).sqrt()) as u64)
            }
        },
        // Weights are [C_out, k, k, C_in], and those of a transposed convolution [C_in, C_out, k, k]: each value of the output,
        // or of the transposed one's input, is used with all weights of one row.
        Kind::DirectConvolution => {
            let Some(weights) = tensors.get(1) else {
                return (kind, 0);
            };
            let rows = weights.shape.first().copied().unwrap_or(1).max(1);
            let moved = if name.contains("transpose") {
                values[0]
            } else {
                values[2]
            };
            (kind, 2 * moved * weights.shape.iter().product::<u64>() / rows)
        }
        kind => (kind, 0),
    }
}

/// The depth k·k·C of an implicit matrix product, from the scalars of cubek's `RuntimeArgs`, which only those kernels have: the
/// depth, the channels, the padded channels with the two constants of a fast division, and the three sizes of the grid.
fn implicit_depth(scalars: &[u64]) -> Option<u64> {
    let [.., depth, channels, padded, _, _, _, _, _] = scalars else {
        return None;
    };
    let is_implicit = scalars.len() > signature::PRODUCT_SCALARS && padded >= channels && *channels > 0;
    is_implicit.then_some(*depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fragment of a kernel of the stub driver: [2, 3, 4] written from a permuted [2, 3, 4].
    const COPY: &str = "struct info_st {\n    uint32 scalars_uint32[2];uint32 static_meta[10];\n};\n\
        extern \"C\" __global__ void __launch_bounds__(256)copy_kernel_t_f32_n_1 (\n    \
        const float* __restrict__ buffer_0, float* buffer_1, const uint32* __restrict__ dynamic_meta, const __grid_constant__ info_st info\n) {\n\
        const float l_0 = buffer_0[l_1];\nbuffer_1[l_2] = l_0;\n}";
    const PRODUCT: &str = "struct info_st {\n    uint32 scalars_uint32[16];uint32 static_meta[6];\n};\n\
        extern \"C\" __global__ void __launch_bounds__(64)matmul_entry_lhs_f32 (\n    \
        const float_4* __restrict__ buffer_0, const float_4* __restrict__ buffer_1, float_4* buffer_2, const __grid_constant__ info_st info\n) {\n\
        wmma::fill_fragment(a, 0);\nbuffer_2[l_2] = reinterpret_cast< float_4 const&>(l_3);\n}";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (hash, source) in [("00", COPY), ("01", PRODUCT)] {
            std::fs::write(folder.path().join(format!("{hash}.cu")), source).unwrap();
        }
        folder
    }

    const RECORD: &str = "kernel 00 1,1,1 0,0 24,24,24,24,3,3,0,3,6,9 2,3,4,2,3,4,12,1,3,12,4,1\n\
        kernel 01 2,3,1 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0 8,16,8,8,16,8 -\n\
        copy to-host 12\n";

    #[test]
    fn bytes_and_operations_of_a_record() {
        let folder = folder();
        let launches = Launches::read(RECORD, folder.path()).unwrap();
        assert_eq!(launches.copies["to-host"], (1.0, 12.0));
        let kernels: Vec<&Launch> = launches.kernels.keys().collect();
        let [product, copy] = kernels[..] else {
            panic!("two kernels, got {kernels:?}")
        };
        assert_eq!((copy.kind, copy.read, copy.written), (Kind::Relayout, 96, 96));
        assert_eq!((copy.blocks, copy.operations, copy.read_across), (1, 0, 96));
        // [4, 8] · [8, 8] = [4, 8]: 2 · 4 · 8 · 8 operations.
        assert_eq!((product.kind, product.operations), (Kind::Product, 512));
        assert_eq!((product.read, product.written), (4 * (32 + 64), 4 * 32));
        assert!(product.on_matrix_units && !copy.on_matrix_units && product.blocks == 6);
    }

    #[test]
    fn repeated_values_are_read_once() {
        let folder = folder();
        let record = "kernel 00 1,1,1 0,0 4,24,4,24,3,3,0,3,6,9 2,3,4,2,3,4,0,0,1,12,4,1\n";
        let launches = Launches::read(record, folder.path()).unwrap();
        let copy = launches.kernels.keys().next().unwrap();
        assert_eq!((copy.read, copy.written, copy.read_across), (16, 96, 0));
    }

    #[test]
    fn a_step_is_what_a_longer_run_launches_more() {
        let folder = folder();
        let short = Launches::read(RECORD, folder.path()).unwrap();
        let more = format!("{RECORD}{RECORD}copy to-device 8\n{}", RECORD.lines().next().unwrap());
        let long = Launches::read(&more, folder.path()).unwrap();
        let step = short.per_step(&long, 2.0);
        let counts: Vec<(Kind, f64)> = step
            .kernels
            .iter()
            .map(|(launch, count)| (launch.kind, *count))
            .collect();
        assert_eq!(counts, [(Kind::Product, 0.5), (Kind::Relayout, 1.0)]);
        assert_eq!(step.copies["to-device"], (0.5, 4.0));
        assert_eq!(step.copies["to-host"], (0.5, 6.0));
        assert!(short.per_step(&short, 2.0).kernels.is_empty());
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        let folder = folder();
        for (record, expected) in [
            ("kernel 00 1,1", "neither"),
            ("kernel 00 1,x,1 0 0 -", "invalid digit"),
            ("kernel 02 1,1,1 0 0 -", "02.cu"),
        ] {
            let error = format!("{:#}", Launches::read(record, folder.path()).unwrap_err());
            assert!(error.contains(expected) && error.contains(record), "{error}");
        }
    }

    #[test]
    fn convolutions_are_counted_by_their_depth() {
        // 2·|out|·k·k·C for a 3×3 convolution of 16 channels as an implicit product.
        let mut scalars = vec![7; 48];
        scalars.extend([144, 16, 16, 1, 4, 8, 2, 1]);
        let (kind, operations) = super::operations("matmul_entry", &scalars, &[], [4096 * 4, 1152 * 4, 2048 * 4]);
        assert_eq!((kind, operations), (Kind::ImplicitGemm, 2 * 8192 * 144));
        // Four products of [128, 256] · [256, 64].
        let mut scalars = vec![4, 1, 2, 32_768];
        scalars.resize(28, 7);
        let (kind, operations) = super::operations("matmul_entry", &scalars, &[], [131_072, 65_536, 32_768]);
        assert_eq!((kind, operations), (Kind::Product, 2 * 4 * 128 * 256 * 64));
        let tensor = |shape: &'static [u64]| Tensor { shape, strides: &[] };
        // Kernels with a thread per output know the shapes of their inputs alone.
        let direct = [tensor(&[64, 16, 16, 3]), tensor(&[4, 3, 3, 3])];
        let (kind, operations) = super::operations("direct_conv2d_kernel", &[], &direct, [49_152, 108, 65_536]);
        assert_eq!((kind, operations), (Kind::DirectConvolution, 2 * 64 * 256 * 4 * 27));
    }
}
