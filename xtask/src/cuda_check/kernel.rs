//! A kernel that was written down: its name, its options, and what the assembler said about it.

use anyhow::{Context, Result};
use std::path::Path;

/// A program with the options that it would be compiled with.
pub struct Kernel {
    /// The entry point's name.
    pub name: String,
    /// Options, as the runtime gives them.
    pub options: Vec<String>,
    /// The program.
    pub source: String,
}

/// What a kernel takes of a multiprocessor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Registers a thread.
    pub registers: u32,
    /// Shared memory of a fixed size a block, in bytes.
    pub shared: u32,
    /// Bytes a thread that registers had no room for.
    pub spilled: u32,
}

impl Kernel {
    /// Reads one that the pretended compiler wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (options, source) = text
            .split_once('\n')
            .context("a kernel's first line holds its options")?;
        let options = options.trim_start_matches("// ").split(' ').map(str::to_owned);
        Ok(Self {
            name: name(source).unwrap_or("?").to_owned(),
            options: options.collect(),
            source: source.to_owned(),
        })
    }

    /// The same with a call, at its end, of a function that does not exist.
    pub fn broken(&self) -> Self {
        let (body, after) = self.source.rsplit_once('}').unwrap_or((&self.source, ""));
        Self {
            name: self.name.clone(),
            options: self.options.clone(),
            source: format!("{body}no_such_function();}}{after}"),
        }
    }

    /// Whether it is one of the candidates that Burn tunes a matrix product with.
    pub fn is_product(&self) -> bool {
        self.name.starts_with("matmul_entry")
    }

    /// Whether it is one of this project's own, and not of Burn's.
    pub fn is_ours(&self) -> bool {
        // crates/loss/src/ops/gpu/kernels.rs; generic ones have their types' sizes behind the name.
        ["sum_pieces", "sum_partials", "gradient"]
            .iter()
            .any(|own| self.name == *own || self.name.strip_prefix(own).is_some_and(|rest| rest.starts_with("_n_")))
    }
}

/// The name between `__global__ void` with its bounds and the parameters.
fn name(source: &str) -> Option<&str> {
    let declaration = source.split_once("__global__ void")?.1;
    let declaration = match declaration.trim_start().strip_prefix("__launch_bounds__(") {
        Some(bounds) => bounds.split_once(')')?.1,
        None => declaration,
    };
    Some(declaration.split_once('(')?.0.trim())
}

impl Usage {
    /// The larger of each.
    pub fn most(self, other: Self) -> Self {
        Self {
            registers: self.registers.max(other.registers),
            shared: self.shared.max(other.shared),
            spilled: self.spilled.max(other.spilled),
        }
    }

    /// From the assembler's lines, as
    /// `ptxas info    : Used 56 registers, used 1 barriers, 4096 bytes smem, 624 bytes cmem[0]`.
    pub fn of(log: &str) -> Self {
        let number_before = |line: &str, word: &str| -> Option<u32> {
            let before = line.split_once(word)?.0;
            before.rsplit(' ').find(|part| !part.is_empty())?.parse().ok()
        };
        let most = |word| {
            log.lines()
                .filter_map(|line| number_before(line, word))
                .max()
                .unwrap_or(0)
        };
        Self {
            registers: most(" registers"),
            shared: most(" bytes smem"),
            spilled: most(" bytes spill stores"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.cu");
        let source =
            "#include <mma.h>\nextern \"C\" __global__ void __launch_bounds__(256)sum_pieces_n_4 (\n  int x) {}";
        std::fs::write(&path, format!("// --gpu-architecture=sm_80 -lineinfo\n{source}")).unwrap();
        let kernel = Kernel::read(&path).unwrap();
        assert_eq!(kernel.options, ["--gpu-architecture=sm_80", "-lineinfo"]);
        assert_eq!(
            (kernel.name.as_str(), kernel.source.as_str()),
            ("sum_pieces_n_4", source)
        );
        assert!(kernel.is_ours());
        let broken = kernel.broken();
        assert!(
            broken.source.ends_with("(\n  int x) {no_such_function();}"),
            "{}",
            broken.source
        );
        assert_eq!((broken.name, broken.options), (kernel.name, kernel.options));
        assert_eq!(name("__global__ void gradient(int x)"), Some("gradient"));
    }

    #[test]
    fn the_assemblers_numbers_are_found() {
        let log = "ptxas info    : 0 bytes gmem\nptxas         .     16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n\
                   ptxas info    : Used 56 registers, used 1 barriers, 4096 bytes smem, 624 bytes cmem[0]\n";
        let expected = Usage {
            registers: 56,
            shared: 4096,
            spilled: 12,
        };
        assert_eq!(Usage::of(log), expected);
        assert_eq!(Usage::of(""), Usage::default());
    }
}
