//! The backward pass: both sums in one pass over x and the gradient of y, the gradient of x in the second.
//!
//! The ReLU's mask is computed from x as the forward pass computed y, to the bit; where a residual was added, it is
//! that of y.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::formula::{Formula, affine, where_positive};
use super::layout::Layout;
use super::map::map;
use super::sums::Sums;
use super::{Epilogue, inverse_std};
use crate::ops::cpu::memory::{Piece, Runs};
use crate::ops::cpu::simd::Level;

/// One batch, with vectors of all channels.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) layout: Layout,
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) mean: &'a [f32],
    pub(super) variance: &'a [f32],
    pub(super) epsilon: f64,
    /// With y in the residual's place.
    pub(super) epilogue: Epilogue<&'a [f32]>,
}

/// x, and where its gradient goes.
pub(super) enum Operand<'a> {
    /// Over the gradient of y, or what is made of it.
    Kept(&'a [f32]),
    /// Over x, or what is made of it: the gradient of y, masked, is wanted too. Where a residual was added.
    Rewritten(Piece<'a>),
}

impl<'a> Pass<'a> {
    /// Fills `dy` and, if given to be rewritten, `x`; returns the gradients for (bias, weight) of each channel.
    ///
    /// # Panics
    /// If x is to be rewritten though no residual was added.
    pub(super) fn run(&self, level: Level, x: Operand<'_>, dy: Piece<'_>) -> Vec<[f32; 2]> {
        let layout = self.layout;
        if layout.is_empty() {
            return vec![[0.0; 2]; layout.channels];
        }
        assert!(
            matches!((&x, self.epilogue), (Operand::Kept(_), _) | (_, Epilogue::AddRelu(_))),
            "the gradient of y is not written unless a residual was added"
        );
        let dy = layout.tasks(dy);
        let x: Vec<TaskOperand<'_>> = match x {
            Operand::Kept(x) => dy.iter().map(|_| TaskOperand::Kept(x)).collect(),
            Operand::Rewritten(x) => layout.tasks(x).into_iter().map(TaskOperand::Rewritten).collect(),
        };
        let run = |(index, (x, dy))| {
            let first = index * layout.run();
            level.run(Task {
                pass: *self,
                first,
                x,
                dy,
            })
        };
        x.into_par_iter().zip(dy).enumerate().flat_map_iter(run).collect()
    }

    /// Mean, factor of x − mean, and bias of the task's channels, as the forward pass has them; and 1/σ.
    fn params(&self, first: usize) -> Params<'a> {
        let channels = first..first + self.layout.channels_of(first);
        let variance = self.variance[channels.clone()].iter();
        let inverse_std: Vec<f32> = variance.map(|&variance| inverse_std(variance, self.epsilon)).collect();
        let scale = inverse_std.iter().zip(&self.weight[channels.clone()]);
        Params {
            mean: &self.mean[channels.clone()],
            scale: scale.map(|(inverse_std, weight)| inverse_std * weight).collect(),
            bias: &self.bias[channels],
            inverse_std,
        }
    }
}

struct Params<'a> {
    mean: &'a [f32],
    scale: Vec<f32>,
    bias: &'a [f32],
    inverse_std: Vec<f32>,
}

/// The channels from `first` on.
struct Task<'a> {
    pass: Pass<'a>,
    first: usize,
    x: TaskOperand<'a>,
    dy: Runs<'a>,
}

/// All of a tensor to be read, or the task's pieces of it, image by image.
enum TaskOperand<'a> {
    Kept(&'a [f32]),
    Rewritten(Runs<'a>),
}

impl TaskOperand<'_> {
    #[inline(always)]
    fn piece(&self, layout: Layout, image: usize, first: usize) -> &[f32] {
        match self {
            Self::Kept(x) => layout.piece(x, image, first),
            Self::Rewritten(x) => x.operand(image),
        }
    }
}

impl WithSimd for Task<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<[f32; 2]> {
        let Self { pass, first, x, mut dy } = self;
        let layout = pass.layout;
        let pixels = layout.pixels;
        let Params {
            mean,
            scale,
            bias,
            inverse_std,
        } = pass.params(first);

        let mut sums = Sums::new(layout, mean.len());
        for image in 0..layout.images {
            let x = x.piece(layout, image, first);
            match pass.epilogue {
                Epilogue::Nothing => sums.add(simd, [mean], x, dy.operand(image), Products),
                Epilogue::Relu => sums.add(simd, [mean, &scale, bias], x, dy.operand(image), MaskedProducts),
                Epilogue::AddRelu(y) => {
                    let y = Some(layout.piece(y, image, first));
                    let dy = map(simd, dy.piece(image), 1, [], y, Masked);
                    sums.add(simd, [mean], x, dy, Products);
                }
            }
        }
        if let Epilogue::AddRelu(_) = pass.epilogue {
            // SAFETY: `map` has written all of every image.
            dy = unsafe { dy.written() };
        }
        // With x̂ = (x − mean)/σ: the gradient for the weight is Σdy·x̂, and
        // dx = weight/σ · (dy − Σdy/count − (x − mean)/σ · Σ(dy·x̂)/count).
        let sums: Vec<[f64; 2]> = sums
            .finish()
            .iter()
            .zip(&inverse_std)
            .map(|([dy, slope], &inverse_std)| [*dy, slope * f64::from(inverse_std)])
            .collect();
        let offset: Vec<f32> = sums.iter().map(|[dy, _]| (dy / layout.count()) as f32).collect();
        let tilt = sums.iter().zip(&inverse_std);
        let tilt: Vec<f32> = tilt
            .map(|([_, slope], inverse_std)| (slope / layout.count()) as f32 * inverse_std)
            .collect();

        let params = [mean, &scale, &offset, &tilt];
        match x {
            TaskOperand::Rewritten(mut x) => {
                for image in 0..layout.images {
                    map(simd, x.piece(image), pixels, params, Some(dy.operand(image)), Gradient);
                }
            }
            TaskOperand::Kept(x) => {
                for image in 0..layout.images {
                    let (x, dy) = (Some(layout.piece(x, image, first)), dy.piece(image));
                    if let Epilogue::Relu = pass.epilogue {
                        let params = [mean, &scale, &offset, &tilt, bias];
                        map(simd, dy, pixels, params, x, MaskedGradient);
                    } else {
                        map(simd, dy, pixels, params, x, GradientInItsPlace);
                    }
                }
            }
        }
        sums.iter().map(|sums| sums.map(|sum| sum as f32)).collect()
    }
}

/// The gradient before the ReLU that gave y.
struct Masked;

impl<S: Simd> Formula<S, 0, S::f32s> for Masked {
    #[inline(always)]
    fn of(simd: S, []: [S::f32s; 0], dy: S::f32s, y: S::f32s) -> S::f32s {
        where_positive(simd, y, dy)
    }
}

/// The summands of both sums: dy and dy·(x − mean).
struct Products;

impl<S: Simd> Formula<S, 1, [S::f32s; 2]> for Products {
    #[inline(always)]
    fn of(simd: S, [mean]: [S::f32s; 1], x: S::f32s, dy: S::f32s) -> [S::f32s; 2] {
        [dy, simd.mul_f32s(dy, simd.sub_f32s(x, mean))]
    }
}

/// As [`Products`], of the gradient before the ReLU.
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
    fn of(simd: S, [mean, scale, offset, tilt]: [S::f32s; 4], x: S::f32s, dy: S::f32s) -> S::f32s {
        let tilted = simd.mul_f32s(simd.sub_f32s(x, mean), tilt);
        simd.mul_f32s(scale, simd.sub_f32s(simd.sub_f32s(dy, offset), tilted))
    }
}

struct GradientInItsPlace;

impl<S: Simd> Formula<S, 4, S::f32s> for GradientInItsPlace {
    #[inline(always)]
    fn of(simd: S, params: [S::f32s; 4], dy: S::f32s, x: S::f32s) -> S::f32s {
        Gradient::of(simd, params, x, dy)
    }
}

/// The same of the gradient before the ReLU.
struct MaskedGradient;

impl<S: Simd> Formula<S, 5, S::f32s> for MaskedGradient {
    #[inline(always)]
    fn of(simd: S, [mean, scale, offset, tilt, bias]: [S::f32s; 5], dy: S::f32s, x: S::f32s) -> S::f32s {
        let y = affine(simd, simd.sub_f32s(x, mean), scale, bias);
        Gradient::of(simd, [mean, scale, offset, tilt], x, where_positive(simd, y, dy))
    }
}
