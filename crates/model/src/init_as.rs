//! Wrapper for a layer or a parameter that declares its initial distribution, where that of its kind does not apply.

use burn::module::{
    AutodiffModule, Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::backend::{AutodiffBackend, Backend};
use std::fmt;

/// Initial distribution of the weights below an [`InitAs`]. Biases below it are zero, except for [`WeightInit::FanIn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightInit {
    /// Normal with standard deviation 0.02: timm's `trunc_normal_`, whose bounds are 100 standard deviations away.
    Normal,
    /// Normal with standard deviation 1e-6: class tokens.
    TinyNormal,
    /// Uniform in ±√(6 / (fan in + fan out)): `xavier_uniform_`.
    Xavier,
    /// The same with a third of the outputs as fan out: queries, keys and values in one layer, each as a layer of its own.
    XavierOfThirds,
    /// Uniform in ±1/√(fan in), biases too: torch's default of a convolution and of a linear layer.
    FanIn,
    /// Retains the values that the module sets.
    Keep,
}

impl WeightInit {
    const ALL: [Self; 6] = [
        Self::Normal,
        Self::TinyNormal,
        Self::Xavier,
        Self::XavierOfThirds,
        Self::FanIn,
        Self::Keep,
    ];

    /// The `container_type` of the wrapper, which no derive produces.
    const fn marker(self) -> &'static str {
        match self {
            Self::Normal => "barlow_model::init:normal",
            Self::TinyNormal => "barlow_model::init:tiny-normal",
            Self::Xavier => "barlow_model::init:xavier",
            Self::XavierOfThirds => "barlow_model::init:xavier-of-thirds",
            Self::FanIn => "barlow_model::init:fan-in",
            Self::Keep => "barlow_model::init:keep",
        }
    }

    /// The distribution that a `container_type` declares.
    pub(crate) fn declared_by(container_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|init| init.marker() == container_type)
    }
}

/// A module whose weights are initialised as declared by [`crate::initialize`]. Exported names do not show it.
///
/// ```
/// use barlow_model::{InitAs, Linear, LinearConfig, WeightInit, initialize, named_shapes, state_dict};
/// use burn::module::Module;
/// use burn::tensor::backend::Backend;
///
/// #[derive(Module, Debug)]
/// struct Head<B: Backend> {
///     fc: InitAs<Linear<B>>,
/// }
/// # #[cfg(feature = "cpu")] {
/// let fc = LinearConfig::new(4, 2).with_bias(true).init::<burn_flex::Flex>(&Default::default());
/// let head = initialize(Head { fc: InitAs::new(WeightInit::Xavier, fc) }, 1);
/// assert_eq!(named_shapes(&head)[0].name, "fc.weight");
/// assert!(state_dict(&head).unwrap()["fc.weight"].data.iter().all(|w| w.abs() <= 1.0)); // √(6 / 6)
/// assert_eq!(state_dict(&head).unwrap()["fc.bias"].data, [0.0; 2]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct InitAs<M> {
    init: WeightInit,
    module: M,
}

impl<M> InitAs<M> {
    /// Declares the initial distribution of `module`.
    pub fn new(init: WeightInit, module: M) -> Self {
        Self { init, module }
    }
}

impl<M> std::ops::Deref for InitAs<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.module
    }
}

impl<B: Backend, M: Module<B>> Module<B> for InitAs<M> {
    type Record = M::Record;

    fn visit<V: ModuleVisitor<B>>(&self, visitor: &mut V) {
        visitor.enter_module("", self.init.marker());
        self.module.visit(visitor);
        visitor.exit_module("", self.init.marker());
    }

    fn map<T: ModuleMapper<B>>(self, mapper: &mut T) -> Self {
        let Self { init, module } = self;
        mapper.enter_module("", init.marker());
        let module = module.map(mapper);
        mapper.exit_module("", init.marker());
        Self { init, module }
    }

    fn into_record(self) -> Self::Record {
        self.module.into_record()
    }

    fn load_record(self, record: Self::Record) -> Self {
        let module = self.module.load_record(record);
        Self { module, ..self }
    }

    fn to_device(self, device: &B::Device) -> Self {
        let module = self.module.to_device(device);
        Self { module, ..self }
    }

    fn fork(self, device: &B::Device) -> Self {
        let module = self.module.fork(device);
        Self { module, ..self }
    }

    fn collect_devices(&self, devices: Devices<B>) -> Devices<B> {
        self.module.collect_devices(devices)
    }
}

impl<B: AutodiffBackend, M: AutodiffModule<B>> AutodiffModule<B> for InitAs<M> {
    type InnerModule = InitAs<M::InnerModule>;

    fn valid(&self) -> Self::InnerModule {
        InitAs::new(self.init, self.module.valid())
    }

    fn from_inner(module: Self::InnerModule) -> Self {
        Self::new(module.init, M::from_inner(module.module))
    }
}

impl<M: fmt::Display> fmt::Display for InitAs<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.module.fmt(f)
    }
}

impl<M: ModuleDisplay> ModuleDisplayDefault for InitAs<M> {
    fn content(&self, content: Content) -> Option<Content> {
        self.module.content(content)
    }
}

impl<M: ModuleDisplay> ModuleDisplay for InitAs<M> {}
