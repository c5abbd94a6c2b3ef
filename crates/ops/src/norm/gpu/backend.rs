//! [`NormOps`] for CubeCL's backends: the kernels for f32 on devices that can run them, the default implementations otherwise.

use std::sync::Once;

use burn::tensor::DType;
use burn::tensor::ops::FloatTensor;
use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

use super::launch::{self, Vectors};
use super::plan::Plan;
use super::rows;
use crate::norm::{Affine, Epilogue, NormGradients, NormOps, NormSaved, Normalized, Statistics, reference};

impl<R, F, I, BT> NormOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> Normalized<Self> {
        let others = [&affine.weight, &affine.bias].into_iter().chain(epilogue.residual());
        let Some(plan) = plan(&x, others) else {
            return reference::forward::<Self>(x, affine, epsilon, epilogue);
        };
        let [mean, variance] = launch::statistics(x.clone(), &plan);
        let vectors = Vectors {
            mean: mean.clone(),
            variance: variance.clone(),
            weight: affine.weight,
            bias: affine.bias,
        };
        let y = launch::normalised(x, vectors, epsilon, epilogue, &plan);
        let statistics = Statistics { mean, variance };
        Normalized { y, statistics }
    }

    fn batch_norm_backward(
        saved: NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
        wants_residual: bool,
    ) -> NormGradients<Self> {
        let others = [&saved.affine.weight, &saved.affine.bias, &output_gradient]
            .into_iter()
            .chain(saved.epilogue.residual());
        let Some(plan) = plan(&saved.x, others) else {
            return reference::backward::<Self>(saved, output_gradient, wants_residual);
        };
        let NormSaved {
            x,
            affine,
            statistics,
            epsilon,
            epilogue,
        } = saved;
        let vectors = Vectors {
            mean: statistics.mean,
            variance: statistics.variance,
            weight: affine.weight,
            bias: affine.bias,
        };
        let gradients = launch::gradients(x, output_gradient, vectors, epsilon, epilogue, &plan);
        NormGradients {
            x: gradients.x,
            weight: gradients.weight,
            bias: gradients.bias,
            residual: gradients.residual.filter(|_| wants_residual),
        }
    }

    fn batch_norm_eval(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let vectors = [&affine.weight, &affine.bias, &statistics.mean, &statistics.variance];
        let Some(plan) = plan(&x, vectors.into_iter().chain(epilogue.residual())) else {
            return reference::eval::<Self>(x, affine, statistics, epsilon, epilogue);
        };
        let vectors = Vectors {
            mean: statistics.mean,
            variance: statistics.variance,
            weight: affine.weight,
            bias: affine.bias,
        };
        launch::normalised(x, vectors, epsilon, epilogue, &plan)
    }
}

/// The launch plan for x [N, C, …], or `None` if the default implementations must be used: for element types other than f32
/// (without a warning), and on devices that cannot run the kernels (with a warning on standard error).
fn plan<'a, R: CubeRuntime>(x: &'a CubeTensor<R>, mut others: impl Iterator<Item = &'a CubeTensor<R>>) -> Option<Plan> {
    let [rows, channels] = rows::size(x);
    if x.dtype != DType::F32 || others.any(|other| other.dtype != DType::F32) || rows * channels == 0 {
        return None;
    }
    Plan::new(rows, channels, x.client.properties())
        .inspect_err(|why| warn_once(why))
        .ok()
}

/// Warns once per process that the kernels are not used, with the reason.
fn warn_once(why: &str) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        eprintln!("barlow-ops: batch norm has no kernels on this device and uses plain tensor operations: {why}");
    });
}
