//! The interface between the training loop and the methods: the parts of a method as data ([`MethodSpec`]), and what it does in
//! a step ([`Method`]). Depends on no method.

mod about;
mod batch;
mod definition;
mod outlook;
mod spec;
mod traits;
mod twin_loss;
mod whole_set;

pub use about::{Chart, MethodAbout};
pub use batch::{Clock, LossOutput, MethodBatch};
pub use definition::{MethodDefinition, MethodInputs, MethodKeyError, MethodPlan};
pub use outlook::{LargeTensor, Outlook};
pub use spec::{DerivedView, EmaTiming, MethodSpec, Momentum, Passes, TeacherSpec};
pub use traits::Method;
pub(crate) use twin_loss::two;
pub use twin_loss::{TwinLoss, TwinLossMethod};
pub use whole_set::WholeSet;
