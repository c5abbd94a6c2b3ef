//! The backward pass: one pass over x and the gradient of y computes both sums, a second one the gradient of x.
//!
//! The ReLU mask is recomputed from x with the arithmetic of the forward pass, so that it matches y bit for bit. If a residual
//! was added, the mask is taken from y.

use barlow_simd::{Level, Simd, WithSimd};
use rayon::prelude::*;

use super::formula::{Formula, affine, inverse_std, where_positive};
use super::layout::NormLayout;
use super::map::map;
use super::sums::ChannelSums;
use crate::cpu::in_place::{ChannelRuns, InPlaceOrFresh};
use crate::norm::Epilogue;

/// The backward pass over one batch, with vectors of all channels.
#[derive(Clone, Copy)]
pub(super) struct BackwardPass<'a> {
    pub(super) layout: NormLayout,
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) mean: &'a [f32],
    pub(super) variance: &'a [f32],
    pub(super) epsilon: f64,
    /// With y in place of the residual.
    pub(super) epilogue: Epilogue<&'a [f32]>,
}

/// x and where its gradient is written.
pub(super) enum Operand<'a> {
    /// The gradient of x replaces that of y, or is computed from it into new memory.
    ReadOnly(&'a [f32]),
    /// The gradient of x replaces x, or is computed from it into new memory, because the masked gradient of y is also needed: it
    /// is the residual's gradient.
    Replaced(InPlaceOrFresh<'a>),
}

impl<'a> BackwardPass<'a> {
    /// Overwrites `dy` and, if it is [`Operand::Replaced`], `x`. Returns the gradients of (bias, weight) of each channel.
    ///
    /// # Panics
    /// If x is [`Operand::Replaced`] although no residual was added.
    pub(super) fn run(&self, level: Level, x: Operand<'_>, dy: InPlaceOrFresh<'_>) -> Vec<[f32; 2]> {
        let layout = self.layout;
        if layout.is_empty() {
            return vec![[0.0; 2]; layout.channels];
        }
        assert!(
            matches!(
                (&x, self.epilogue),
                (Operand::ReadOnly(_), _) | (_, Epilogue::AddRelu(_))
            ),
            "the gradient of y is not written unless a residual was added"
        );
        let dy = layout.tasks(dy);
        let x: Vec<TaskOperand<'_>> = match x {
            Operand::ReadOnly(x) => dy.iter().map(|_| TaskOperand::ReadOnly(x)).collect(),
            Operand::Replaced(x) => layout.tasks(x).into_iter().map(TaskOperand::Replaced).collect(),
        };
        let run = |(index, (x, dy))| {
            let first = index * layout.run();
            level.run(BackwardTask {
                pass: *self,
                first,
                x,
                dy,
            })
        };
        x.into_par_iter().zip(dy).enumerate().flat_map_iter(run).collect()
    }

    /// Overwrites `dy` with the gradient before the ReLU of a residual sum.
    ///
    /// # Panics
    /// If no residual was added.
    pub(super) fn mask(&self, level: Level, dy: InPlaceOrFresh<'_>) {
        let Epilogue::AddRelu(y) = self.epilogue else {
            panic!("the mask of a residual sum, and there is none");
        };
        let layout = self.layout;
        if layout.is_empty() {
            return;
        }
        layout.tasks(dy).into_par_iter().enumerate().for_each(|(index, dy)| {
            let first = index * layout.run();
            level.run(MaskTask { layout, first, y, dy });
        });
    }

    /// The gradients of (bias, weight) of each channel; `dy` is masked by [`BackwardPass::mask`] if a residual was added.
    pub(super) fn sums(&self, level: Level, x: &[f32], dy: &[f32]) -> Vec<[f32; 2]> {
        let layout = self.layout;
        if layout.is_empty() {
            return vec![[0.0; 2]; layout.channels];
        }
        let tasks: Vec<usize> = (0..layout.channels).step_by(layout.run()).collect();
        let run = |first| {
            level.run(SumsTask {
                pass: *self,
                first,
                x,
                dy,
            })
        };
        tasks.into_par_iter().flat_map_iter(run).collect()
    }

    /// Overwrites `out`, which is `dy` or, with [`Given::Dy`], x, with the gradient of x, from the means of dy and dy·x̂. `dy` is
    /// masked by [`BackwardPass::mask`] if a residual was added.
    pub(super) fn run_with(&self, level: Level, given: Given<'_>, means: [&[f32]; 2], out: InPlaceOrFresh<'_>) {
        let layout = self.layout;
        if layout.is_empty() {
            return;
        }
        layout.tasks(out).into_par_iter().enumerate().for_each(|(index, out)| {
            level.run(GradientTask {
                pass: *self,
                first: index * layout.run(),
                given,
                means,
                out,
            });
        });
    }

    /// Mean, factor of x − mean, and bias of the task's channels, as in the forward pass, and 1/σ.
    fn params(&self, first: usize) -> ChannelParams<'a> {
        let channels = first..first + self.layout.channels_of(first);
        let variance = self.variance[channels.clone()].iter();
        let inverse_std: Vec<f32> = variance.map(|&variance| inverse_std(variance, self.epsilon)).collect();
        let scale = inverse_std.iter().zip(&self.weight[channels.clone()]);
        ChannelParams {
            mean: &self.mean[channels.clone()],
            scale: scale.map(|(inverse_std, weight)| inverse_std * weight).collect(),
            bias: &self.bias[channels],
            inverse_std,
        }
    }
}

/// The operand of the gradient of x that is not overwritten.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// The gradient of y is overwritten.
    X(&'a [f32]),
    /// x is overwritten.
    Dy(&'a [f32]),
}

struct MaskTask<'a> {
    layout: NormLayout,
    first: usize,
    y: &'a [f32],
    dy: ChannelRuns<'a>,
}

impl WithSimd for MaskTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for image in 0..self.layout.images {
            let y = Some(self.layout.piece(self.y, image, self.first));
            map(simd, self.dy.part(image), 1, [], y, Masked);
        }
    }
}

struct SumsTask<'a> {
    pass: BackwardPass<'a>,
    first: usize,
    x: &'a [f32],
    dy: &'a [f32],
}

impl WithSimd for SumsTask<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<[f32; 2]> {
        let Self { pass, first, x, dy } = self;
        let layout = pass.layout;
        let ChannelParams {
            mean,
            scale,
            bias,
            inverse_std,
        } = pass.params(first);
        let mut sums = ChannelSums::new(layout, mean.len());
        for image in 0..layout.images {
            let (x, dy) = (layout.piece(x, image, first), layout.piece(dy, image, first));
            match pass.epilogue {
                Epilogue::Relu => sums.add(simd, [mean, &scale, bias], x, dy, MaskedProducts),
                Epilogue::Nothing | Epilogue::AddRelu(_) => sums.add(simd, [mean], x, dy, Products),
            }
        }
        let sums = sums.finish();
        let sums = sums.iter().zip(&inverse_std);
        sums.map(|([dy, product], &inverse_std)| [*dy as f32, (product * f64::from(inverse_std)) as f32])
            .collect()
    }
}

struct GradientTask<'a> {
    pass: BackwardPass<'a>,
    first: usize,
    given: Given<'a>,
    means: [&'a [f32]; 2],
    out: ChannelRuns<'a>,
}

impl WithSimd for GradientTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            pass,
            first,
            given,
            means,
            mut out,
        } = self;
        let layout = pass.layout;
        let pixels = layout.pixels;
        let ChannelParams {
            mean,
            scale,
            bias,
            inverse_std,
        } = pass.params(first);
        let [through_mean, of_weight] = means.map(|means| &means[first..first + mean.len()]);
        let through_variance = of_weight.iter().zip(&inverse_std);
        let through_variance: Vec<f32> = through_variance.map(|(mean, inverse_std)| mean * inverse_std).collect();
        let params = [mean, &scale[..], through_mean, &through_variance[..]];
        for image in 0..layout.images {
            match given {
                Given::Dy(dy) => {
                    let dy = Some(layout.piece(dy, image, first));
                    map(simd, out.part(image), pixels, params, dy, Gradient);
                }
                Given::X(x) => {
                    let (x, dy) = (Some(layout.piece(x, image, first)), out.part(image));
                    if let Epilogue::Relu = pass.epilogue {
                        let params = [mean, &scale, through_mean, &through_variance, bias];
                        map(simd, dy, pixels, params, x, MaskedGradient);
                    } else {
                        map(simd, dy, pixels, params, x, GradientInPlace);
                    }
                }
            }
        }
    }
}

struct ChannelParams<'a> {
    mean: &'a [f32],
    scale: Vec<f32>,
    bias: &'a [f32],
    inverse_std: Vec<f32>,
}

/// A task over the channels from `first` on.
pub(super) struct BackwardTask<'a> {
    pub(super) pass: BackwardPass<'a>,
    pub(super) first: usize,
    pub(super) x: TaskOperand<'a>,
    pub(super) dy: ChannelRuns<'a>,
}

/// A whole tensor to read, or the task's runs of it to replace.
pub(super) enum TaskOperand<'a> {
    ReadOnly(&'a [f32]),
    Replaced(ChannelRuns<'a>),
}

impl TaskOperand<'_> {
    #[inline(always)]
    fn piece(&self, layout: NormLayout, image: usize, first: usize) -> &[f32] {
        match self {
            Self::ReadOnly(x) => layout.piece(x, image, first),
            Self::Replaced(x) => x.operand(image),
        }
    }
}

impl WithSimd for BackwardTask<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<[f32; 2]> {
        let Self { pass, first, x, mut dy } = self;
        let layout = pass.layout;
        let pixels = layout.pixels;
        let ChannelParams {
            mean,
            scale,
            bias,
            inverse_std,
        } = pass.params(first);

        let mut sums = ChannelSums::new(layout, mean.len());
        for image in 0..layout.images {
            let x = x.piece(layout, image, first);
            match pass.epilogue {
                Epilogue::Nothing => sums.add(simd, [mean], x, dy.operand(image), Products),
                Epilogue::Relu => sums.add(simd, [mean, &scale, bias], x, dy.operand(image), MaskedProducts),
                Epilogue::AddRelu(y) => {
                    let y = Some(layout.piece(y, image, first));
                    let dy = map(simd, dy.part(image), 1, [], y, Masked);
                    sums.add(simd, [mean], x, dy, Products);
                }
            }
        }
        if let Epilogue::AddRelu(_) = pass.epilogue {
            // SAFETY: `map` has written every image.
            dy = unsafe { dy.written() };
        }
        // With x̂ = (x − mean)/σ, the gradient of the weight is Σdy·x̂, and
        // dx = weight/σ · (dy − Σdy/count − (x − mean)/σ · Σ(dy·x̂)/count).
        let sums: Vec<[f64; 2]> = sums
            .finish()
            .iter()
            .zip(&inverse_std)
            .map(|([dy, product], &inverse_std)| [*dy, product * f64::from(inverse_std)])
            .collect();
        let through_mean: Vec<f32> = sums.iter().map(|[dy, _]| (dy / layout.count()) as f32).collect();
        let through_variance = sums.iter().zip(&inverse_std);
        let through_variance: Vec<f32> = through_variance
            .map(|([_, weight], inverse_std)| (weight / layout.count()) as f32 * inverse_std)
            .collect();

        let params = [mean, &scale, &through_mean, &through_variance];
        match x {
            TaskOperand::Replaced(mut x) => {
                for image in 0..layout.images {
                    map(simd, x.part(image), pixels, params, Some(dy.operand(image)), Gradient);
                }
            }
            TaskOperand::ReadOnly(x) => {
                for image in 0..layout.images {
                    let (x, dy) = (Some(layout.piece(x, image, first)), dy.part(image));
                    if let Epilogue::Relu = pass.epilogue {
                        let params = [mean, &scale, &through_mean, &through_variance, bias];
                        map(simd, dy, pixels, params, x, MaskedGradient);
                    } else {
                        map(simd, dy, pixels, params, x, GradientInPlace);
                    }
                }
            }
        }
        sums.iter().map(|sums| sums.map(|sum| sum as f32)).collect()
    }
}

/// The gradient with respect to the input of the ReLU whose output is y.
struct Masked;

impl<S: Simd> Formula<S, 0, S::f32s> for Masked {
    #[inline(always)]
    fn of(simd: S, []: [S::f32s; 0], dy: S::f32s, y: S::f32s) -> S::f32s {
        where_positive(simd, y, dy)
    }
}

/// The terms of both sums: dy and dy·(x − mean).
struct Products;

impl<S: Simd> Formula<S, 1, [S::f32s; 2]> for Products {
    #[inline(always)]
    fn of(simd: S, [mean]: [S::f32s; 1], x: S::f32s, dy: S::f32s) -> [S::f32s; 2] {
        [dy, simd.mul_f32s(dy, simd.sub_f32s(x, mean))]
    }
}

/// [`Products`] of the gradient with respect to the ReLU's input.
struct MaskedProducts;

impl<S: Simd> Formula<S, 3, [S::f32s; 2]> for MaskedProducts {
    #[inline(always)]
    fn of(simd: S, [mean, scale, bias]: [S::f32s; 3], x: S::f32s, dy: S::f32s) -> [S::f32s; 2] {
        let y = affine(simd, simd.sub_f32s(x, mean), scale, bias);
        Products::of(simd, [mean], x, where_positive(simd, y, dy))
    }
}

/// The gradient of x.
struct Gradient;

impl<S: Simd> Formula<S, 4, S::f32s> for Gradient {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 4], x: S::f32s, dy: S::f32s) -> S::f32s {
        let [mean, scale, through_mean, through_variance] = params;
        let by_x = simd.mul_f32s(simd.sub_f32s(x, mean), through_variance);
        simd.mul_f32s(scale, simd.sub_f32s(simd.sub_f32s(dy, through_mean), by_x))
    }
}

/// [`Gradient`] in place of dy.
struct GradientInPlace;

impl<S: Simd> Formula<S, 4, S::f32s> for GradientInPlace {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 4], dy: S::f32s, x: S::f32s) -> S::f32s {
        Gradient::of(simd, params, x, dy)
    }
}

/// [`GradientInPlace`] of the gradient with respect to the ReLU's input.
struct MaskedGradient;

impl<S: Simd> Formula<S, 5, S::f32s> for MaskedGradient {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 5], dy: S::f32s, x: S::f32s) -> S::f32s {
        let [mean, scale, through_mean, through_variance, bias] = params;
        let y = affine(simd, simd.sub_f32s(x, mean), scale, bias);
        let params = [mean, scale, through_mean, through_variance];
        Gradient::of(simd, params, x, where_positive(simd, y, dy))
    }
}
