//! Test support: weights and images by formulas that any language can reproduce, and gradients by name.
//!
//! In torch (float64 arithmetic on float32 weights and images):
//! ```python
//! def formula(name, shape):
//!     n = math.prod(shape); key = sum(name.encode()) % 97
//!     wave = [math.sin(0.37 * i + 0.0113 * i * i + key) for i in range(n)]
//!     if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
//!         values = [1 + 0.2 * w for w in wave]
//!     elif len(shape) == 1:
//!         values = [0.2 * w for w in wave]
//!     else:
//!         values = [w * 2 / math.sqrt(n / shape[0]) for w in wave]
//!     return torch.tensor(values, dtype=torch.float64).float().reshape(shape)
//!
//! def fill(m):
//!     m.load_state_dict({k: formula(k, v.shape) if v.dim() else v for k, v in m.state_dict().items()})
//!     return m.double()
//!
//! def images(*shape):
//!     i = torch.arange(math.prod(shape), dtype=torch.float64)
//!     return torch.sin(0.13 * i + 0.0017 * i * i).float().double().reshape(shape).requires_grad_()
//!
//! def backward(y):
//!     (y * torch.sin(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)).sum().backward()
//! ```

#![allow(dead_code, reason = "each test binary uses a part of it")]

use barlow_model::{HostTensor, ParamKind, PathStack, StateDict, load_state_dict, named_shapes, state_dict};
use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use std::collections::BTreeMap;

/// The backend under test, without and with autodiff.
pub type Cpu = Flex;
pub type Train = Autodiff<Flex>;

/// The formula weight for a name and shape.
pub fn formula(name: &str, shape: &[usize]) -> HostTensor {
    let count: usize = shape.iter().product();
    let key = (name.bytes().map(usize::from).sum::<usize>() % 97) as f64;
    let wave = |i: usize| (0.37 * i as f64 + 0.0113 * i as f64 * i as f64 + key).sin();
    let value = |i: usize| {
        if name.ends_with("running_var") || (shape.len() == 1 && name.ends_with("weight")) {
            1.0 + 0.2 * wave(i)
        } else if shape.len() == 1 {
            0.2 * wave(i)
        } else {
            wave(i) * 2.0 / ((count / shape[0]) as f64).sqrt()
        }
    };
    HostTensor {
        shape: shape.to_vec(),
        data: (0..count).map(|i| value(i) as f32).collect(),
    }
}

/// The module with every value replaced by its formula.
pub fn fill<B: Backend, M: Module<B>>(module: M) -> M {
    let state: StateDict = named_shapes(&module)
        .into_iter()
        .map(|named| {
            let tensor = formula(&named.name, &named.shape);
            (named.name, tensor)
        })
        .collect();
    load_state_dict(module, &state).expect("the names and shapes are those of the module")
}

/// The formula image or matrix.
pub fn images<B: Backend, const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    let value = |i: usize| (0.13 * i as f64 + 0.0017 * i as f64 * i as f64).sin() as f32;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// Gradients of Σ yᵢ·sin(i), in torch's layouts by exported name; that of `x` is "x".
pub fn gradients<M: Module<Train>, const D: usize>(module: &M, x: &Tensor<Train, D>, y: Tensor<Train, 2>) -> StateDict {
    let [rows, columns] = y.dims();
    let weights: Vec<f32> = (0..rows * columns).map(|i| (i as f64).sin() as f32).collect();
    let weights = Tensor::from_data(TensorData::new(weights, [rows, columns]), &Default::default());
    let gradients = (y * weights).sum().backward();
    let x = x.grad(&gradients).expect("x requires a gradient");
    let mut visitor = GradientVisitor {
        gradients: &gradients,
        path: PathStack::default(),
        found: BTreeMap::new(),
    };
    module.visit(&mut visitor);
    visitor.found.insert("x".into(), host(x));
    visitor.found
}

struct GradientVisitor<'a> {
    gradients: &'a <Train as AutodiffBackend>::Gradients,
    path: PathStack,
    found: StateDict,
}

impl ModuleVisitor<Train> for GradientVisitor<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, name: &str, container_type: &str) {
        self.path.exit(name, container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Train, D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let gradient = match self.path.kind() {
                ParamKind::Linear => gradient.transpose(),
                _ => gradient,
            };
            self.found.insert(self.path.name(), host(gradient));
        }
    }
}

/// A tensor's shape and values.
pub fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> HostTensor {
    let shape = tensor.dims().to_vec();
    HostTensor {
        shape,
        data: tensor.into_data().convert::<f32>().into_vec().unwrap(),
    }
}

/// A value of the module's state dict.
pub fn value<B: Backend, M: Module<B>>(module: &M, name: &str) -> Vec<f32> {
    tensors(module)[name].data.clone()
}

/// The state dict of a module whose names are unique.
pub fn tensors<B: Backend, M: Module<B>>(module: &M) -> StateDict {
    state_dict(module).expect("unique names")
}

/// Euclidean norm.
pub fn norm(tensor: &HostTensor) -> f64 {
    tensor.data.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()
}

/// Asserts that the first values agree to `tolerance`, relative to the largest expected value.
#[track_caller]
pub fn assert_close(what: &str, actual: &[f32], expected: &[f64], tolerance: f64) {
    let scale = expected.iter().fold(0f64, |most, v| most.max(v.abs()));
    for (index, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(actual) - expected).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}[{index}] is {actual}, expected {expected} (relative error {error:.1e})"
        );
    }
    assert!(actual.len() >= expected.len(), "{what} has {} values", actual.len());
}
