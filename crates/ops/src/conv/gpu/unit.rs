//! Convolutions as implicit matrix products on tiles of registers, for devices without matrix units: cubek's product, cubek's
//! layouts, put together here because cubek 0.2 combines its convolutions with matrix units alone.
//!
//! Inputs and outputs are [N, H, W, C], weights [C_out, k, k, C_in].

use burn::tensor::{Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::cubecl::Runtime;
use burn_cubecl::cubecl::client::ComputeClient;
use burn_cubecl::cubecl::ir::StorageType;
use burn_cubecl::cubecl::prelude::{LaunchError, TensorBinding};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubek::convolution::components::global::args::RuntimeArgs;
use cubek::convolution::components::global::read::strategy::sync_bias::SyncBiasLoading;
use cubek::convolution::components::{ConvSetupError, ConvolutionOperation, ConvolutionProblem, Dimensionality};
use cubek::convolution::routines::Routine;
use cubek::convolution::{backward_data, backward_weight, forward};
use cubek::matmul::components::global::read::sync_full_cyclic::SyncFullCyclicLoading;
use cubek::matmul::components::stage::{ColMajorTilingOrder, RowMajorTilingOrder};
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems, TilingBlueprint};
use cubek::matmul::launch::TensorArgs;
use cubek::matmul::routines::BlueprintStrategy;
use cubek::matmul::routines::simple_unit::{SimpleUnitAlgorithm, SimpleUnitSelectionArgs};
use cubek::std::{InputBinding, MatrixLayout};

use crate::ConvGeometry;

/// cubek's synchronous cyclic loading, its product of register tiles, and no bias.
struct UnitTiles;

type Product = SimpleUnitAlgorithm<
    SyncFullCyclicLoading<RowMajorTilingOrder>,
    SyncFullCyclicLoading<ColMajorTilingOrder>,
    SyncBiasLoading,
>;

impl Routine for UnitTiles {
    type Blueprint = TilingBlueprint;
    type Strategy = SimpleUnitSelectionArgs;
    type MatmulRoutine = Product;
    type Args = TensorArgs<RuntimeArgs>;

    /// Every operand is contiguous already.
    fn correct_layout<R: Runtime>(
        _: &ComputeClient<R>,
        handle: TensorBinding<R>,
        _: StorageType,
        _: ConvolutionOperation,
    ) -> Result<TensorBinding<R>, LaunchError> {
        Ok(handle)
    }
}

fn strategy() -> BlueprintStrategy<RuntimeArgs, Product> {
    BlueprintStrategy::Inferred(SimpleUnitSelectionArgs::default())
}

/// A convolution of these shapes, all channels last.
struct Sizes<'a> {
    x: &'a Shape,
    weight: &'a Shape,
    out: &'a Shape,
    geometry: ConvGeometry,
}

impl Sizes<'_> {
    fn problem<R: CubeRuntime>(
        &self,
        operation: ConvolutionOperation,
        left: &CubeTensor<R>,
        right: &CubeTensor<R>,
        out: &CubeTensor<R>,
        dtypes: &MatmulElems,
    ) -> ConvolutionProblem {
        let [batches, height, width, channels] = self.x.dims();
        let [channels_out, kernel, _, _] = self.weight.dims();
        let [_, out_height, out_width, _] = self.out.dims();
        let (taps, outputs) = (kernel * kernel, batches * out_height * out_width);
        let (m, n, k, lhs_layout, rhs_layout, padded_channels) = match operation {
            ConvolutionOperation::BackwardData => (
                batches * height * width,
                channels,
                channels_out * taps,
                MatrixLayout::RowMajor,
                MatrixLayout::RowMajor,
                channels_out,
            ),
            ConvolutionOperation::BackwardWeight => (
                channels_out,
                channels * taps,
                outputs,
                MatrixLayout::ColMajor,
                MatrixLayout::RowMajor,
                channels,
            ),
            ConvolutionOperation::Forward | ConvolutionOperation::ForwardTransposed => (
                outputs,
                channels_out,
                channels * taps,
                MatrixLayout::RowMajor,
                MatrixLayout::ColMajor,
                channels,
            ),
        };
        let ConvGeometry { stride, padding } = self.geometry;
        let addresses = [left, right, out].map(CubeTensor::required_address_type);
        ConvolutionProblem {
            m,
            n,
            k,
            lhs_strides: left.meta.strides().clone(),
            rhs_strides: right.meta.strides().clone(),
            lhs_layout,
            rhs_layout,
            kernel_size: vec![kernel as u32; 2],
            stride: vec![stride as u32; 2],
            padding: vec![padding as i32; 2],
            dilation: vec![1; 2],
            batches,
            channels,
            out_channels: channels_out,
            in_shape: Shape::new([height, width]),
            out_shape: Shape::new([out_height, out_width]),
            padded_channels,
            operation,
            dimensionality: Dimensionality::Dim2,
            global_dtypes: dtypes.as_global_elems(),
            address_type: addresses.into_iter().max().unwrap_or_default(),
        }
    }
}

fn elements<R: CubeRuntime>(x: &CubeTensor<R>) -> MatmulElems {
    MatmulElems::from_globals(&MatmulGlobalElems {
        lhs: x.dtype.into(),
        rhs: x.dtype.into(),
        out: x.dtype.into(),
    })
}

fn bound<R: CubeRuntime>(x: CubeTensor<R>) -> InputBinding<R> {
    let dtype = x.dtype;
    InputBinding::new(x.binding(), dtype.into())
}

fn empty<R: CubeRuntime>(like: &CubeTensor<R>, shape: &Shape) -> CubeTensor<R> {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.clone(), like.dtype)
}

/// The outputs of a shape.
pub(super) fn outputs<R: CubeRuntime>(
    x: CubeTensor<R>,
    weight: CubeTensor<R>,
    geometry: ConvGeometry,
    shape: &Shape,
) -> Result<CubeTensor<R>, ConvSetupError> {
    let (x, weight) = (into_contiguous(x), into_contiguous(weight));
    let (out, client, dtypes) = (empty(&x, shape), x.client.clone(), elements(&x));
    let (x_shape, weight_shape) = (x.shape(), weight.shape());
    let sizes = Sizes {
        x: &x_shape,
        weight: &weight_shape,
        out: shape,
        geometry,
    };
    let problem = sizes.problem(ConvolutionOperation::Forward, &x, &weight, &out, &dtypes);
    forward::launch_kernel::<R, UnitTiles>(
        &client,
        bound(x),
        bound(weight),
        None,
        out.clone().binding(),
        problem,
        &strategy(),
        dtypes,
    )?;
    Ok(out)
}

/// The gradient of the input of a shape; stride 1 alone.
pub(super) fn input_gradient<R: CubeRuntime>(
    weight: CubeTensor<R>,
    dy: CubeTensor<R>,
    geometry: ConvGeometry,
    shape: &Shape,
) -> Result<CubeTensor<R>, ConvSetupError> {
    let (weight, dy) = (into_contiguous(weight), into_contiguous(dy));
    let (dx, client, dtypes) = (empty(&dy, shape), dy.client.clone(), elements(&dy));
    let (weight_shape, out_shape) = (weight.shape(), dy.shape());
    let sizes = Sizes {
        x: shape,
        weight: &weight_shape,
        out: &out_shape,
        geometry,
    };
    let problem = sizes.problem(ConvolutionOperation::BackwardData, &dy, &weight, &dx, &dtypes);
    backward_data::launch_kernel::<R, UnitTiles>(
        &client,
        bound(dy),
        bound(weight),
        dx.clone().binding(),
        problem,
        &strategy(),
        dtypes,
    )?;
    Ok(dx)
}

/// The gradient of a weight of a shape.
pub(super) fn weight_gradient<R: CubeRuntime>(
    x: CubeTensor<R>,
    dy: CubeTensor<R>,
    geometry: ConvGeometry,
    shape: &Shape,
) -> Result<CubeTensor<R>, ConvSetupError> {
    let (x, dy) = (into_contiguous(x), into_contiguous(dy));
    let (dw, client, dtypes) = (empty(&x, shape), x.client.clone(), elements(&x));
    let (x_shape, out_shape) = (x.shape(), dy.shape());
    let sizes = Sizes {
        x: &x_shape,
        weight: shape,
        out: &out_shape,
        geometry,
    };
    // As cubek fills it: the strides of the input first.
    let problem = sizes.problem(ConvolutionOperation::BackwardWeight, &x, &dy, &dw, &dtypes);
    backward_weight::launch_kernel::<R, UnitTiles>(
        &client,
        bound(x),
        bound(dy),
        dw.clone().binding(),
        problem,
        &strategy(),
        dtypes,
    )?;
    Ok(dw)
}
