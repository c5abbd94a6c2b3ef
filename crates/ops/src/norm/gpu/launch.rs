//! Kernel launches of batch norm on channels-last tensors of f32.

use burn::tensor::{Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::client::ComputeClient;
use burn_cubecl::cubecl::prelude::{ArrayArg, CubeCount, CubeDim};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::kernels;
use super::plan::Plan;
use super::rows::{channels_last, channels_second, empty};
use crate::norm::Epilogue;

/// The vectors of a norm, each `[C]`.
pub(super) struct Vectors<R: CubeRuntime> {
    pub(super) mean: CubeTensor<R>,
    pub(super) variance: CubeTensor<R>,
    pub(super) weight: CubeTensor<R>,
    pub(super) bias: CubeTensor<R>,
}

impl<R: CubeRuntime> Vectors<R> {
    fn contiguous(self) -> Self {
        Self {
            mean: into_contiguous(self.mean),
            variance: into_contiguous(self.variance),
            weight: into_contiguous(self.weight),
            bias: into_contiguous(self.bias),
        }
    }
}

/// Gradients of x, weight, bias and the residual.
pub(super) struct Gradients<R: CubeRuntime> {
    pub(super) x: CubeTensor<R>,
    pub(super) weight: CubeTensor<R>,
    pub(super) bias: CubeTensor<R>,
    pub(super) residual: Option<CubeTensor<R>>,
}

/// How kernels of a plan are launched.
struct Grid<'a, R: CubeRuntime> {
    plan: &'a Plan,
    client: &'a ComputeClient<R>,
}

impl<R: CubeRuntime> Grid<'_, R> {
    /// A cube per tile of columns and chunk of rows.
    fn sums(&self) -> (CubeCount, CubeDim) {
        let Plan { tiles, chunks, .. } = *self.plan;
        (CubeCount::new_2d(tiles, chunks as u32), self.cube())
    }

    /// A cube per tile of columns.
    fn totals(&self) -> (CubeCount, CubeDim) {
        (CubeCount::new_1d(self.plan.tiles), self.cube())
    }

    fn cube(&self) -> CubeDim {
        CubeDim::new_2d(self.plan.lanes, self.plan.teams)
    }

    /// A unit per vector.
    fn vectors(&self) -> (CubeCount, CubeDim) {
        let cube = CubeDim::new_1d(self.plan.units);
        (
            calculate_cube_count_elemwise(self.client, self.plan.vectors(), cube),
            cube,
        )
    }
}

/// Mean and biased variance of each channel of x, [N, C, …].
pub(super) fn statistics<R: CubeRuntime>(x: CubeTensor<R>, plan: &Plan) -> [CubeTensor<R>; 2] {
    let x = channels_last(x);
    let client = x.client.clone();
    let grid = Grid { plan, client: &client };
    let channels = plan.channels();
    let partials = empty(&x, Shape::new([plan.chunks, 2, channels]));
    let [mean, variance] = [(); 2].map(|()| empty(&x, Shape::new([channels])));
    let (lanes, teams) = (plan.lanes as usize, plan.teams as usize);
    let (count, dim) = grid.sums();
    kernels::channel_moments::launch::<R>(
        &client,
        count,
        dim,
        plan.address,
        plan.width,
        x.into_array_arg(),
        partials.clone().into_array_arg(),
        plan.rows,
        plan.columns,
        plan.rows_per_chunk,
        lanes,
        teams,
    );
    let (count, dim) = grid.totals();
    kernels::channel_statistics::launch::<R>(
        &client,
        count,
        dim,
        plan.width,
        partials.into_array_arg(),
        mean.clone().into_array_arg(),
        variance.clone().into_array_arg(),
        plan.rows,
        plan.columns,
        plan.rows_per_chunk,
        plan.chunks,
        lanes,
        teams,
    );
    [mean, variance]
}

/// y = epilogue((x − mean) / √(variance + epsilon) · weight + bias), [N, C, …].
pub(super) fn normalised<R: CubeRuntime>(
    x: CubeTensor<R>,
    vectors: Vectors<R>,
    epsilon: f64,
    epilogue: Epilogue<CubeTensor<R>>,
    plan: &Plan,
) -> CubeTensor<R> {
    let x = channels_last(x);
    let client = x.client.clone();
    let (count, dim) = Grid { plan, client: &client }.vectors();
    let vectors = vectors.contiguous();
    let relu = matches!(epilogue, Epilogue::Relu);
    let y = match epilogue {
        Epilogue::AddRelu(residual) => {
            let residual = channels_last(residual);
            // Often the output of a norm that is not needed otherwise.
            let (y, out) = rewritten(&residual, 1);
            kernels::channel_normalise_add::launch::<R>(
                &client,
                count,
                dim,
                plan.address,
                plan.width,
                x.into_array_arg(),
                residual.into_array_arg(),
                vectors.mean.into_array_arg(),
                vectors.variance.into_array_arg(),
                vectors.weight.into_array_arg(),
                vectors.bias.into_array_arg(),
                out,
                plan.vectors(),
                plan.columns,
                epsilon as f32,
            );
            y
        }
        Epilogue::Nothing | Epilogue::Relu => {
            let y = empty(&x, x.shape());
            kernels::channel_normalise::launch::<R>(
                &client,
                count,
                dim,
                plan.address,
                plan.width,
                x.into_array_arg(),
                vectors.mean.into_array_arg(),
                vectors.variance.into_array_arg(),
                vectors.weight.into_array_arg(),
                vectors.bias.into_array_arg(),
                y.clone().into_array_arg(),
                plan.vectors(),
                plan.columns,
                epsilon as f32,
                relu,
            );
            y
        }
    };
    channels_second(y)
}

/// The gradients from dy, [N, C, …]; `epilogue` holds y in place of the residual.
pub(super) fn gradients<R: CubeRuntime>(
    x: CubeTensor<R>,
    dy: CubeTensor<R>,
    vectors: Vectors<R>,
    epsilon: f64,
    epilogue: Epilogue<CubeTensor<R>>,
    plan: &Plan,
) -> Gradients<R> {
    let (x, dy, vectors) = (channels_last(x), channels_last(dy), vectors.contiguous());
    let epilogue = epilogue.map(channels_last);
    let client = x.client.clone();
    let grid = Grid { plan, client: &client };
    let channels = plan.channels();
    let partials = empty(&x, Shape::new([plan.chunks, 2, channels]));
    let [weight, bias] = [(); 2].map(|()| empty(&x, Shape::new([channels])));
    let factors = empty(&x, Shape::new([3, channels]));
    let (lanes, teams) = (plan.lanes as usize, plan.teams as usize);
    let relu = matches!(epilogue, Epilogue::Relu);

    let (count, dim) = grid.sums();
    match &epilogue {
        Epilogue::AddRelu(y) => kernels::channel_gradient_sums_of::launch::<R>(
            &client,
            count,
            dim,
            plan.address,
            plan.width,
            x.clone().into_array_arg(),
            y.clone().into_array_arg(),
            dy.clone().into_array_arg(),
            vectors.mean.clone().into_array_arg(),
            partials.clone().into_array_arg(),
            plan.rows,
            plan.columns,
            plan.rows_per_chunk,
            lanes,
            teams,
        ),
        Epilogue::Nothing | Epilogue::Relu => kernels::channel_gradient_sums::launch::<R>(
            &client,
            count,
            dim,
            plan.address,
            plan.width,
            x.clone().into_array_arg(),
            dy.clone().into_array_arg(),
            vectors.mean.clone().into_array_arg(),
            vectors.variance.clone().into_array_arg(),
            vectors.weight.clone().into_array_arg(),
            vectors.bias.clone().into_array_arg(),
            partials.clone().into_array_arg(),
            plan.rows,
            plan.columns,
            plan.rows_per_chunk,
            epsilon as f32,
            relu,
            lanes,
            teams,
        ),
    }
    let (count, dim) = grid.totals();
    kernels::channel_gradients::launch::<R>(
        &client,
        count,
        dim,
        plan.width,
        partials.into_array_arg(),
        vectors.variance.into_array_arg(),
        vectors.weight.into_array_arg(),
        weight.clone().into_array_arg(),
        bias.clone().into_array_arg(),
        factors.clone().into_array_arg(),
        plan.rows,
        plan.columns,
        plan.chunks,
        epsilon as f32,
        lanes,
        teams,
    );

    let (count, dim) = grid.vectors();
    let (dx, residual) = match epilogue {
        Epilogue::AddRelu(y) => {
            let dx = empty(&x, x.shape());
            let (residual, out) = rewritten(&dy, 2);
            kernels::channel_input_gradient_of::launch::<R>(
                &client,
                count,
                dim,
                plan.address,
                plan.width,
                x.into_array_arg(),
                y.into_array_arg(),
                dy.into_array_arg(),
                vectors.mean.into_array_arg(),
                factors.into_array_arg(),
                dx.clone().into_array_arg(),
                out,
                plan.vectors(),
                plan.columns,
            );
            (dx, Some(channels_second(residual)))
        }
        Epilogue::Nothing | Epilogue::Relu => {
            let (dx, out) = rewritten(&dy, 1);
            kernels::channel_input_gradient::launch::<R>(
                &client,
                count,
                dim,
                plan.address,
                plan.width,
                x.into_array_arg(),
                dy.into_array_arg(),
                vectors.mean.into_array_arg(),
                vectors.bias.into_array_arg(),
                factors.into_array_arg(),
                out,
                plan.vectors(),
                plan.columns,
                relu,
            );
            (dx, None)
        }
    };
    Gradients {
        x: channels_second(dx),
        weight,
        bias,
        residual,
    }
}

/// An output of the shape of `input`, the argument at `position`: its own buffer if nobody else has it, a new one otherwise.
fn rewritten<R: CubeRuntime>(input: &CubeTensor<R>, position: usize) -> (CubeTensor<R>, ArrayArg<R>) {
    if input.can_mut() {
        (input.clone(), input.as_tensor_alias(position).into_array_arg())
    } else {
        let output = empty(input, input.shape());
        (output.clone(), output.into_array_arg())
    }
}
