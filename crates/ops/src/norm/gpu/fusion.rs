//! [`NormOps`] for the fusion layer: each operation is queued as a custom operation with the shapes of its results, and executed
//! later by the inner backend.

use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;
use burn_fusion::{Fusion, FusionBackend};

use crate::gpu::queue::{Inputs, next, queue, take};
use crate::norm::{Affine, Epilogue, NormGradients, NormOps, NormSaved, Normalized, Statistics};

impl<B: FusionBackend + NormOps> NormOps for Fusion<B> {
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> Normalized<Self> {
        let kind = epilogue.as_ref().map(|_| ());
        let vector = affine.weight.shape();
        let shapes = [x.shape(), vector.clone(), vector];
        let inputs = [x, affine.weight, affine.bias].into_iter().chain(residual(epilogue));
        let [y, mean, variance] = queue::<B, 3>("barlow_batch_norm", inputs.collect(), shapes, move |inputs| {
            let [x, weight, bias] = take(inputs);
            let epilogue = kind.map(|()| next(inputs));
            let out = B::batch_norm_forward(x, Affine { weight, bias }, epsilon, epilogue);
            [out.y, out.statistics.mean, out.statistics.variance]
        });
        let statistics = Statistics { mean, variance };
        Normalized { y, statistics }
    }

    fn batch_norm_backward(
        saved: NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
        wants_residual: bool,
    ) -> NormGradients<Self> {
        let NormSaved {
            x,
            affine,
            statistics,
            epsilon,
            epilogue,
        } = saved;
        let kind = epilogue.as_ref().map(|_| ());
        let (whole, vector) = (x.shape(), affine.weight.shape());
        let wants_residual = wants_residual && epilogue.residual().is_some();
        let inputs = [
            x,
            output_gradient,
            affine.weight,
            affine.bias,
            statistics.mean,
            statistics.variance,
        ];
        let inputs = inputs.into_iter().chain(residual(epilogue)).collect();
        let run = move |inputs: &mut Inputs<B>| {
            let [x, dy, weight, bias, mean, variance] = take(inputs);
            let saved = NormSaved {
                x,
                affine: Affine { weight, bias },
                statistics: Statistics { mean, variance },
                epsilon,
                epilogue: kind.map(|()| next(inputs)),
            };
            B::batch_norm_backward(saved, dy, wants_residual)
        };
        let shapes = [whole.clone(), vector.clone(), vector];
        if wants_residual {
            let [x, weight, bias] = shapes;
            let shapes = [x, weight, bias, whole];
            let [x, weight, bias, residual] =
                queue::<B, 4>("barlow_batch_norm_backward", inputs, shapes, move |inputs| {
                    let gradients = run(inputs);
                    let residual = gradients.residual.expect("a wanted gradient is computed");
                    [gradients.x, gradients.weight, gradients.bias, residual]
                });
            NormGradients {
                x,
                weight,
                bias,
                residual: Some(residual),
            }
        } else {
            let [x, weight, bias] = queue::<B, 3>("barlow_batch_norm_backward", inputs, shapes, move |inputs| {
                let gradients = run(inputs);
                [gradients.x, gradients.weight, gradients.bias]
            });
            NormGradients {
                x,
                weight,
                bias,
                residual: None,
            }
        }
    }

    fn batch_norm_eval(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let kind = epilogue.as_ref().map(|_| ());
        let shape = x.shape();
        let inputs = [x, affine.weight, affine.bias, statistics.mean, statistics.variance];
        let inputs = inputs.into_iter().chain(residual(epilogue)).collect();
        let [y] = queue::<B, 1>("barlow_batch_norm_eval", inputs, [shape], move |inputs| {
            let [x, weight, bias, mean, variance] = take(inputs);
            let epilogue = kind.map(|()| next(inputs));
            let statistics = Statistics { mean, variance };
            [B::batch_norm_eval(
                x,
                Affine { weight, bias },
                statistics,
                epsilon,
                epilogue,
            )]
        });
        y
    }
}

fn residual<T>(epilogue: Epilogue<T>) -> Option<T> {
    match epilogue {
        Epilogue::AddRelu(residual) => Some(residual),
        Epilogue::Nothing | Epilogue::Relu => None,
    }
}
