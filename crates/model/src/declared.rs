//! Wrapper for a raw parameter of a custom module that declares the parameter's kind.

use crate::kind::ParamKind;
use burn::module::{
    AutodiffModule, Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use std::fmt;

/// A parameter with a declared [`ParamKind`], for fields of a custom module that are not layers of this crate or of `burn::nn`.
///
/// It replaces `Param<Tensor<B, D>>` in a `#[derive(Module)]` struct and has the field's name. An undeclared raw `Param`
/// is [`ParamKind::Other`].
///
/// ```
/// use barlow_model::{DeclaredParam, ParamKind, named_shapes};
/// use burn::module::{Module, Param};
/// use burn::tensor::{Tensor, backend::Backend};
///
/// #[derive(Module, Debug)]
/// struct Encoder<B: Backend> {
///     class_token: DeclaredParam<B, 3>,
/// }
/// # #[cfg(feature = "cpu")] {
/// # let device = Default::default();
/// let token = Param::from_tensor(Tensor::<burn_flex::Flex, 3>::zeros([1, 1, 8], &device));
/// let encoder = Encoder { class_token: DeclaredParam::new(ParamKind::Token, token) };
/// let [named] = &named_shapes(&encoder)[..] else { unreachable!() };
/// assert_eq!((named.name.as_str(), named.kind), ("class_token", ParamKind::Token));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DeclaredParam<B: Backend, const D: usize> {
    kind: ParamKind,
    param: Param<Tensor<B, D>>,
}

impl<B: Backend, const D: usize> DeclaredParam<B, D> {
    /// Declares the kind of `param`, whose shape must be that of the kind, for example [in, out] for [`ParamKind::Linear`].
    pub fn new(kind: ParamKind, param: Param<Tensor<B, D>>) -> Self {
        Self { kind, param }
    }

    /// The declared kind.
    pub fn kind(&self) -> ParamKind {
        self.kind
    }

    /// The parameter.
    pub fn param(&self) -> &Param<Tensor<B, D>> {
        &self.param
    }

    /// The parameter's value.
    pub fn val(&self) -> Tensor<B, D> {
        self.param.val()
    }
}

impl<B: Backend, const D: usize> Module<B> for DeclaredParam<B, D> {
    type Record = Param<Tensor<B, D>>;

    fn visit<V: ModuleVisitor<B>>(&self, visitor: &mut V) {
        visitor.enter_module("", self.kind.marker());
        self.param.visit(visitor);
        visitor.exit_module("", self.kind.marker());
    }

    fn map<M: ModuleMapper<B>>(self, mapper: &mut M) -> Self {
        let Self { kind, param } = self;
        mapper.enter_module("", kind.marker());
        let param = Module::map(param, mapper);
        mapper.exit_module("", kind.marker());
        Self { kind, param }
    }

    fn into_record(self) -> Self::Record {
        self.param.into_record()
    }

    fn load_record(self, record: Self::Record) -> Self {
        let param = self.param.load_record(record);
        Self { param, ..self }
    }

    fn to_device(self, device: &B::Device) -> Self {
        let param = self.param.to_device(device);
        Self { param, ..self }
    }

    fn fork(self, device: &B::Device) -> Self {
        let param = self.param.fork(device);
        Self { param, ..self }
    }

    fn collect_devices(&self, devices: Devices<B>) -> Devices<B> {
        self.param.collect_devices(devices)
    }
}

impl<B: AutodiffBackend, const D: usize> AutodiffModule<B> for DeclaredParam<B, D> {
    type InnerModule = DeclaredParam<B::InnerBackend, D>;

    fn valid(&self) -> Self::InnerModule {
        DeclaredParam::new(self.kind, self.param.valid())
    }

    fn from_inner(module: Self::InnerModule) -> Self {
        Self::new(module.kind, Param::from_inner(module.param))
    }
}

impl<B: Backend, const D: usize> fmt::Display for DeclaredParam<B, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.kind, self.param.lazy_shape().to_vec())
    }
}

impl<B: Backend, const D: usize> ModuleDisplayDefault for DeclaredParam<B, D> {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&self.to_string()).optional()
    }
}

impl<B: Backend, const D: usize> ModuleDisplay for DeclaredParam<B, D> {}
