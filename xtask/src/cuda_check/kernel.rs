//! A collected kernel: its name, its compiler options, and the resource usage that the assembler reports.

use anyhow::{Context, Result};
use std::path::Path;

/// The source of a kernel with its compiler options.
pub struct Kernel {
    /// The entry point's name.
    pub name: String,
    /// Compiler options, as passed by the runtime.
    pub options: Vec<String>,
    /// The source code.
    pub source: String,
}

/// The resources of a multiprocessor that a kernel uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Registers per thread.
    pub registers: u32,
    /// Static shared memory per block, in bytes.
    pub shared: u32,
    /// Register spills per thread, in bytes.
    pub spilled: u32,
}

impl Kernel {
    /// Reads a kernel that the stub NVRTC wrote.
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

    /// The same kernel with a final call to a function that does not exist.
    pub fn broken(&self) -> Self {
        let (body, after) = self.source.rsplit_once('}').unwrap_or((&self.source, ""));
        Self {
            name: self.name.clone(),
            options: self.options.clone(),
            source: format!("{body}no_such_function();}}{after}"),
        }
    }

    /// Whether it is one of the candidates of Burn's matrix product autotuning.
    pub fn is_product(&self) -> bool {
        self.name.starts_with("matmul_entry")
    }

    /// Whether it is one of this project's own kernels, and not one of Burn's.
    pub fn is_ours(&self) -> bool {
        // crates/ops/src/norm/gpu/kernels.rs and crates/loss/src/ops/gpu/kernels.rs; generic ones have the sizes of their types after
        // the name.
        self.name.starts_with("channel_")
            || ["sum_pieces", "sum_partials", "gradient"]
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
    /// The larger value of each field.
    pub fn most(self, other: Self) -> Self {
        Self {
            registers: self.registers.max(other.registers),
            shared: self.shared.max(other.shared),
            spilled: self.spilled.max(other.spilled),
        }
    }

    /// Parses the assembler's log, such as
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
        let named = |name: &str| Kernel {
            name: name.to_owned(),
            options: Vec::new(),
            source: String::new(),
        };
        assert!(named("channel_moments_w_4").is_ours() && !named("gradients_n_4").is_ours());
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
