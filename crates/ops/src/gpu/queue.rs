//! Operations of the inner backend, queued on the fusion layer with the shapes of their results and executed later.

use std::fmt;
use std::marker::PhantomData;

use burn::backend::ir::{CustomOpIr, HandleContainer, OperationIr, TensorIr};
use burn::tensor::Shape;
use burn::tensor::ops::FloatTensor;
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{FusionBackend, FusionTensor};

/// The inputs of a queued operation, in the order in which it was queued with them.
pub(crate) type Inputs<B> = std::vec::IntoIter<FloatTensor<B>>;

/// The next input.
///
/// # Panics
/// If there is none.
pub(crate) fn next<T>(inputs: &mut impl Iterator<Item = T>) -> T {
    inputs.next().expect("the operation was queued with all inputs")
}

/// The next `N` inputs.
///
/// # Panics
/// If there are fewer.
pub(crate) fn take<T, const N: usize>(inputs: &mut impl Iterator<Item = T>) -> [T; N] {
    [(); N].map(|()| next(inputs))
}

/// A queued operation of the inner backend with `M` results.
struct Queued<B, F, const M: usize> {
    ir: CustomOpIr,
    run: F,
    backend: PhantomData<fn() -> B>,
}

impl<B, F, const M: usize> fmt::Debug for Queued<B, F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ir.fmt(f)
    }
}

impl<B, F, const M: usize> Operation<B::FusionRuntime> for Queued<B, F, M>
where
    B: FusionBackend,
    F: Fn(&mut Inputs<B>) -> [FloatTensor<B>; M] + Send + Sync + 'static,
{
    fn execute(&self, handles: &mut HandleContainer<B::Handle>) {
        let inputs: Vec<FloatTensor<B>> = self
            .ir
            .inputs
            .iter()
            .map(|input| handles.get_float_tensor::<B>(input))
            .collect();
        let outputs = (self.run)(&mut inputs.into_iter());
        for (ir, output) in self.ir.outputs.iter().zip(outputs) {
            handles.register_float_tensor::<B>(&ir.id, output);
        }
    }
}

/// Queues an operation on the device of its first input. Its results have these shapes and the element type of that input.
pub(crate) fn queue<B: FusionBackend, const M: usize>(
    name: &'static str,
    inputs: Vec<FusionTensor<B::FusionRuntime>>,
    shapes: [Shape; M],
    run: impl Fn(&mut Inputs<B>) -> [FloatTensor<B>; M] + Send + Sync + 'static,
) -> [FusionTensor<B::FusionRuntime>; M] {
    let (client, dtype) = (inputs[0].client.clone(), inputs[0].dtype);
    let outputs = shapes.map(|shape| TensorIr::uninit(client.create_empty_handle(), shape, dtype));
    let streams = OperationStreams::with_inputs(&inputs);
    let inputs: Vec<TensorIr> = inputs.into_iter().map(FusionTensor::into_ir).collect();
    let ir = CustomOpIr::new(name, &inputs, &outputs);
    let queued = Queued::<B, _, M> {
        ir: ir.clone(),
        run,
        backend: PhantomData,
    };
    let outputs = client.register(streams, OperationIr::Custom(ir), queued);
    let outputs: Result<[_; M], _> = outputs.try_into();
    outputs.unwrap_or_else(|_| panic!("a custom operation returns its results"))
}
