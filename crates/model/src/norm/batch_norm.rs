//! Batch norm over [N, C] and [N, C, H, W] with an explicit mode, exported under torch's names.
//!
//! `burn::nn::BatchNorm` is not used: it selects training or evaluation by the backend, updates the running variance with the
//! biased estimate, and swaps axes, which on the CPU copies every activation, forward and backward.

use super::mode::NormMode;
use super::statistic::RunningStatistic;
use barlow_ops::{Epilogue, NormOps, batch_norm_eval, batch_norm_synced, batch_norm_train};
use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, FloatDType, Tensor};
use serde::Serialize;

/// Settings of a [`BatchNorm`]; the defaults are torch's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchNormConfig {
    /// Channels C (≥ 1).
    pub features: usize,
    /// Weight of the newest batch in the running statistics, in [0, 1].
    pub momentum: f64,
    /// Added to the variance (> 0).
    pub epsilon: f64,
    /// Whether the normalised values are multiplied by a learned weight.
    pub scale: bool,
    /// Whether a learned bias is added.
    pub shift: bool,
    /// Initial weight: 1, or 0 for the last norm of a residual block that should start as the identity.
    pub initial_weight: f64,
}

impl BatchNormConfig {
    /// Momentum 0.1, epsilon 1e-5, with weight and bias, initial weight 1.
    pub fn new(features: usize) -> Self {
        Self {
            features,
            momentum: 0.1,
            epsilon: 1e-5,
            scale: true,
            shift: true,
            initial_weight: 1.0,
        }
    }

    /// Sets whether the norm has a learned weight and a learned bias.
    pub fn with_affine(self, affine: bool) -> Self {
        Self {
            scale: affine,
            shift: affine,
            ..self
        }
    }

    /// Sets whether the norm has a learned bias.
    pub fn with_shift(self, shift: bool) -> Self {
        Self { shift, ..self }
    }

    /// Sets the initial weight.
    pub fn with_initial_weight(self, initial_weight: f64) -> Self {
        Self { initial_weight, ..self }
    }

    /// Builds a norm with bias 0, running mean 0, running variance 1, and the configured weight.
    pub fn init<B: Backend>(&self, device: &B::Device) -> BatchNorm<B> {
        let c = self.features;
        BatchNorm {
            weight: self.scale.then(|| vector(c, self.initial_weight, device)),
            bias: self.shift.then(|| vector(c, 0.0, device)),
            running_mean: RunningStatistic::new(Tensor::zeros([c], device)),
            running_var: RunningStatistic::new(Tensor::ones([c], device)),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

/// Batch norm: y = (x − mean) / √(variance + ε) · weight + bias, per channel.
#[derive(Module, Debug)]
pub struct BatchNorm<B: Backend> {
    /// `[C]`; `None` means 1.
    pub weight: Option<Param<Tensor<B, 1>>>,
    /// `[C]`; `None` means 0.
    pub bias: Option<Param<Tensor<B, 1>>>,
    /// `[C]`
    pub running_mean: RunningStatistic<B>,
    /// `[C]`, unbiased like torch's.
    pub running_var: RunningStatistic<B>,
    momentum: f64,
    epsilon: f64,
}

impl<B: NormOps> BatchNorm<B> {
    /// Normalises over all axes except the second. Statistics and arithmetic are f32 for every type of `x`.
    ///
    /// # Shapes
    /// - `x`: [N, C] or [N, C, H, W]
    /// - returns the shape of `x`
    ///
    /// # Panics
    /// If `x` has a different number of channels, or fewer than two values per channel in a training mode.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>, mode: NormMode) -> Tensor<B, D> {
        self.forward_then(x, Epilogue::Nothing, mode)
    }

    /// max([`forward`](Self::forward)(x), 0), as one operation.
    ///
    /// # Panics
    /// Same as `forward`.
    pub fn forward_relu<const D: usize>(&self, x: Tensor<B, D>, mode: NormMode) -> Tensor<B, D> {
        self.forward_then(x, Epilogue::Relu, mode)
    }

    /// max([`forward`](Self::forward)(x) + residual, 0), as one operation; the residual has the shape of `x`.
    ///
    /// # Panics
    /// Same as `forward`, and if the residual has a different shape.
    pub fn forward_add_relu<const D: usize>(
        &self,
        x: Tensor<B, D>,
        residual: Tensor<B, D>,
        mode: NormMode,
    ) -> Tensor<B, D> {
        self.forward_then(x, Epilogue::AddRelu(residual), mode)
    }

    fn forward_then<const D: usize>(
        &self,
        x: Tensor<B, D>,
        epilogue: Epilogue<Tensor<B, D>>,
        mode: NormMode,
    ) -> Tensor<B, D> {
        let shape = x.dims();
        let dtype = x.dtype();
        let running_mean = self.running_mean.value();
        let [features] = running_mean.dims();
        assert!(
            D >= 2 && shape[1] == features,
            "batch norm over {features} channels got x of shape {shape:?}"
        );
        if let Some(residual) = epilogue.residual() {
            let residual = residual.dims();
            assert!(
                shape == residual,
                "batch norm: x of shape {shape:?}, but a residual of {residual:?}"
            );
        }
        let (n, s) = (shape[0], shape[2..].iter().product::<usize>());

        let (x, epilogue) = (in_f32(x), epilogue.map(in_f32));
        let vector = |param: &Option<Param<Tensor<B, 1>>>| param.as_ref().map(|p| in_f32(p.val()));
        let (weight, bias) = (vector(&self.weight), vector(&self.bias));
        let y = if mode == NormMode::Eval {
            let statistics = [running_mean, self.running_var.value()].map(in_f32);
            batch_norm_eval(x, weight, bias, statistics, self.epsilon, epilogue)
        } else {
            let (y, mean, variance, count) = match mode.peers() {
                None => {
                    assert!(
                        n * s > 1,
                        "batch norm needs at least two values per channel in training modes, got x of shape {shape:?}"
                    );
                    let (y, mean, variance) = batch_norm_train(x, weight, bias, self.epsilon, epilogue);
                    (y, mean, variance, (n * s) as f64)
                }
                Some(peers) => {
                    let (y, [mean, variance], count) =
                        batch_norm_synced(x, weight, bias, self.epsilon, epilogue, peers);
                    assert!(
                        count > 1.0,
                        "batch norm needs at least two values per channel on all ranks together, got x of shape {shape:?}"
                    );
                    (y, mean, variance, count)
                }
            };
            if mode.updates_statistics() {
                self.update(&self.running_mean, mean);
                self.update(&self.running_var, variance.mul_scalar(count / (count - 1.0)));
            }
            y
        };
        if dtype == DType::F32 {
            y
        } else {
            y.cast(FloatDType::from(dtype))
        }
    }

    fn update(&self, statistic: &RunningStatistic<B>, batch: Tensor<B, 1>) {
        let old = statistic.value();
        let batch = batch.detach();
        let batch = if old.dtype() == DType::F32 {
            batch
        } else {
            batch.cast(FloatDType::from(old.dtype()))
        };
        statistic.set(old.mul_scalar(1.0 - self.momentum) + batch.mul_scalar(self.momentum));
    }
}

fn in_f32<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    if x.dtype() == DType::F32 {
        x
    } else {
        x.cast(FloatDType::F32)
    }
}

fn vector<B: Backend>(features: usize, value: f64, device: &B::Device) -> Param<Tensor<B, 1>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, require_grad| Tensor::full([features], value, device).set_require_grad(require_grad),
        device.clone(),
        true,
        [features].into(),
    )
}
