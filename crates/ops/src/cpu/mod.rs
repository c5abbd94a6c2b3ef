//! Output memory of the CPU kernels: written once, in place of an operand or in new memory, by one task or by many.

pub(crate) mod disjoint_out;
pub(crate) mod in_place;
pub(crate) mod tensors;
