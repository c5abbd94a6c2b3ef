//! [`LossOps`] for the fusion layer: each operation is queued as a custom operation with the shape of its result, and executed
//! later by the inner backend.

use burn::backend::ir::{CustomOpIr, HandleContainer, OperationIr, OperationOutput, TensorIr};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{Fusion, FusionBackend, FusionTensor};

use crate::ops::LossOps;

impl<B: FusionBackend + LossOps> LossOps for Fusion<B> {
    fn correlation_sums(c: FloatTensor<Self>) -> FloatTensor<Self> {
        queue::<B, 1>("barlow_correlation_sums", [c], Shape::new([4]), |[c]| {
            B::correlation_sums(c)
        })
    }

    fn correlation_gradient(c: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = c.shape();
        queue::<B, 2>("barlow_correlation_gradient", [c, weights], shape, |[c, weights]| {
            B::correlation_gradient(c, weights)
        })
    }

    fn largest_buffer(device: &Self::Device) -> Option<u64> {
        B::largest_buffer(device)
    }
}

/// A queued operation of the inner backend on `N` tensors.
#[derive(Debug)]
struct Queued<B: FusionBackend, const N: usize> {
    ir: CustomOpIr,
    run: fn([FloatTensor<B>; N]) -> FloatTensor<B>,
}

impl<B: FusionBackend, const N: usize> Operation<B::FusionRuntime> for Queued<B, N> {
    fn execute(&self, handles: &mut HandleContainer<B::Handle>) {
        let (inputs, [output]) = self.ir.as_fixed::<N, 1>();
        let inputs = inputs.each_ref().map(|input| handles.get_float_tensor::<B>(input));
        handles.register_float_tensor::<B>(&output.id, (self.run)(inputs));
    }
}

/// Queues an operation on the device of its first input. It has one result of `shape`, with the element type of that input.
fn queue<B: FusionBackend, const N: usize>(
    name: &'static str,
    inputs: [FusionTensor<B::FusionRuntime>; N],
    shape: Shape,
    run: fn([FloatTensor<B>; N]) -> FloatTensor<B>,
) -> FusionTensor<B::FusionRuntime> {
    let client = inputs[0].client.clone();
    let output = TensorIr::uninit(client.create_empty_handle(), shape, inputs[0].dtype);
    let streams = OperationStreams::with_inputs(&inputs);
    let inputs = inputs.map(FusionTensor::into_ir);
    let ir = CustomOpIr::new(name, &inputs, &[output]);
    client
        .register(streams, OperationIr::Custom(ir.clone()), Queued::<B, N> { ir, run })
        .output()
}
