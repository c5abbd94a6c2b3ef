//! Kinds of kernels, by the names that Burn, CubeCL and this project give them.

/// What a kernel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A convolution, or one of its gradients, as an implicit matrix product.
    ImplicitGemm,
    /// A convolution, or one of its gradients, with a thread per output.
    DirectConvolution,
    /// A matrix product: linear layers, the loss, 1×1 convolutions, transposed convolutions by columns.
    Product,
    /// Columns gathered from images, or summed into them.
    Columns,
    /// A copy into another memory layout.
    Relayout,
    /// A sum, mean or maximum along an axis, with the operations fused into it.
    Reduction,
    /// Several element-wise operations in one kernel.
    Fused,
    /// A single element-wise operation, a fill or a slice.
    ElementWise,
    /// Pooling over windows.
    Pooling,
    /// A kernel of this project.
    Ours,
    /// Anything else.
    Other,
}

impl Kind {
    /// All kinds, in the order of tables.
    pub const ALL: [Self; 11] = [
        Self::ImplicitGemm,
        Self::DirectConvolution,
        Self::Product,
        Self::Columns,
        Self::Relayout,
        Self::Reduction,
        Self::Fused,
        Self::ElementWise,
        Self::Pooling,
        Self::Ours,
        Self::Other,
    ];

    /// The kind of a kernel by its name: `copy_kernel_t_f32_n_4` of a CUDA source, or `CopyKernel | f32` of CubeCL's log. A
    /// name does not tell implicit matrix products from others.
    pub fn of(name: &str) -> Self {
        let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        let plain = plain.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| plain.starts_with(word));
        // In crates/loss/src/ops/gpu and crates/ops/src/norm/gpu.
        if is(&["sumpieces", "sumpartials", "gradient", "channel"]) {
            Self::Ours
        } else if is(&["copykernel", "intocontiguous", "relayout"]) {
            Self::Relayout
        } else if is(&["directconv", "convtranspose", "depthwise"]) {
            Self::DirectConvolution
        } else if is(&["matmul", "gemm", "vecmat", "gemv"]) {
            Self::Product
        } else if is(&["col2im", "im2col"]) {
            Self::Columns
        } else if is(&["reduce", "argmax", "cumsum", "sharedsum"]) {
            Self::Reduction
        } else if is(&["elemwisefuse", "fuse"]) {
            Self::Fused
        } else if plain.contains("pool") {
            Self::Pooling
        } else if is(&[
            "kernelbinop",
            "kernelscalar",
            "kernelcmp",
            "unary",
            "full",
            "mask",
            "slice",
            "cast",
            "gather",
            "scatter",
            "select",
            "repeat",
            "flip",
            "expand",
            "cat",
            "equal",
            "clamp",
            "binop",
        ]) {
            Self::ElementWise
        } else {
            Self::Other
        }
    }

    /// The name in tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::ImplicitGemm => "convolution, implicit GEMM",
            Self::DirectConvolution => "convolution, direct",
            Self::Product => "matrix product",
            Self::Columns => "im2col, col2im",
            Self::Relayout => "relayout",
            Self::Reduction => "reduction",
            Self::Fused => "element-wise, fused",
            Self::ElementWise => "element-wise, single",
            Self::Pooling => "pooling",
            Self::Ours => "own kernels",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_names_of_both_backends() {
        for (name, kind) in [
            ("copy_kernel_pack_t_f32_n_2", Kind::Relayout),
            ("CopyKernelPack | f32", Kind::Relayout),
            ("direct_conv2d_kernel_e_f32_nin_4_nout_4", Kind::DirectConvolution),
            ("conv_transpose2d_direct_kernel_e_f32", Kind::DirectConvolution),
            ("DirectConv2dKernel", Kind::DirectConvolution),
            ("matmul_entry_lhs_f32_lhs_size_4", Kind::Product),
            ("col2im_kernel_e_f32", Kind::Columns),
            ("reduce_kernel_fused_in_f32", Kind::Reduction),
            ("elemwise_fuse", Kind::Fused),
            ("kernel_scalar_binop_c_f32_n_4", Kind::ElementWise),
            ("full_kernel_c_f32_n_2", Kind::ElementWise),
            ("max_pool2d_with_indices", Kind::Pooling),
            ("gradient_n_4", Kind::Ours),
            ("arange", Kind::Other),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }
}
