//! Compilation of a list of kernels with NVIDIA's compiler, on all cores, and a summary of the results.

use super::kernel::{Kernel, Usage};
use super::nvrtc::Nvrtc;
use anyhow::Result;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The results of compiling a list of kernels.
#[derive(Default)]
pub struct Outcome {
    /// Names of the kernels that do not compile, with the compiler's log.
    pub failed: Vec<(String, String)>,
    /// This project's own kernels, with their resource usage.
    pub ours: Vec<(String, Usage)>,
    /// The largest usage of each resource.
    pub most: Usage,
    /// Number of kernels that spill registers.
    pub spilling: usize,
}

/// Compiles all kernels.
pub fn compile(nvrtc: &Nvrtc, kernels: &[Kernel]) -> Result<Outcome> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(kernel) = kernels.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut options: Vec<&str> = kernel.options.iter().map(String::as_str).collect();
                    // The runtime's options, and one that makes the assembler report the resources of a kernel.
                    options.push("--ptxas-options=-v");
                    let result = nvrtc.compile(&kernel.source, &options);
                    results.lock().expect("no thread panics").push((kernel, result));
                }
            });
        }
    });
    let mut outcome = Outcome::default();
    for (kernel, result) in results.into_inner().expect("no thread panics") {
        let compiled = result?;
        if !compiled.is_good {
            outcome.failed.push((kernel.name.clone(), compiled.log));
            continue;
        }
        let usage = Usage::of(&compiled.log);
        outcome.spilling += usize::from(usage.spilled > 0);
        outcome.most = outcome.most.most(usage);
        if kernel.is_ours() {
            outcome.ours.push((kernel.name.clone(), usage));
        }
    }
    Ok(outcome)
}
