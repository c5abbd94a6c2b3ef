//! GPUs of the roofline, with the figures of their makers' data sheets.

/// Peak rates of a GPU.
#[derive(Debug, Clone, Copy)]
pub struct Gpu {
    /// Its name in tables.
    pub name: &'static str,
    /// Bytes per second of its memory.
    pub bandwidth: f64,
    /// f32 operations per second.
    pub f32_rate: f64,
    /// Operations per second of f32 products on matrix units, rounded to TF32 and without sparsity; `None` if it has none.
    pub tf32_rate: Option<f64>,
    /// Multiprocessors; compute units on AMD's.
    pub processors: u64,
    /// Where the figures are from.
    pub source: &'static str,
}

/// The shortest time of a kernel in seconds: an assumption, about what back-to-back launches of empty kernels take.
pub const SHORTEST_KERNEL: f64 = 3e-6;

/// The GPUs of the tables.
pub const GPUS: [Gpu; 4] = [
    Gpu {
        name: "H100 SXM",
        bandwidth: 3.35e12,
        f32_rate: 66.9e12,
        tf32_rate: Some(494.7e12),
        processors: 132,
        source: "NVIDIA H100 Tensor Core GPU data sheet and Hopper architecture white paper; TF32 without sparsity",
    },
    Gpu {
        name: "A100 SXM 80 GB",
        bandwidth: 2.039e12,
        f32_rate: 19.5e12,
        tf32_rate: Some(156e12),
        processors: 108,
        source: "NVIDIA A100 Tensor Core GPU data sheet; TF32 without sparsity",
    },
    Gpu {
        name: "RTX 4090",
        bandwidth: 1.008e12,
        f32_rate: 82.6e12,
        tf32_rate: Some(82.6e12),
        processors: 128,
        source: "NVIDIA Ada GPU architecture white paper, appendix A; TF32 without sparsity",
    },
    Gpu {
        name: "RX 7900 XTX",
        bandwidth: 0.96e12,
        f32_rate: 61.4e12,
        tf32_rate: None,
        processors: 96,
        source: "AMD Radeon RX 7900 XTX product page; dual-issue f32",
    },
];
