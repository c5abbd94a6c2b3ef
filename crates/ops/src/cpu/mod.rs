//! Memory of the CPU kernels: outputs that are written once, in place of an operand or in fresh memory, by one task or by many.

pub(crate) mod disjoint_out;
pub(crate) mod in_place;
pub(crate) mod tensors;
