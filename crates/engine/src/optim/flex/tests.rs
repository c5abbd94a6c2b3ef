//! Tests of the fused updates against the tensor ops, and across thread counts and vector widths. PyTorch's numbers are in
//! `optim/parity_tests.rs`.

use super::chunk::CHUNK;
use super::momentum;
use crate::optim::{AdamW, Lars, OptimOps, Sgd, Update, Updated};
use barlow_simd::{Level, NullaryFnOnce};
use burn::tensor::Tensor;
use burn_flex::Flex;

/// Lengths around a vector and around a chunk.
const SHAPES: [[usize; 2]; 6] = [[1, 1], [3, 5], [1, 33], [2, CHUNK / 2], [3, CHUNK / 3 + 1], [7, CHUNK]];

const LARS: Lars = Lars {
    momentum: 0.9,
    weight_decay: 0.1,
    trust_coefficient: 0.02,
    clip: false,
    separate_norms: false,
    rate_in_momentum: false,
};

const SGD: Sgd = Sgd {
    momentum: 0.9,
    weight_decay: 0.1,
};

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64.wrapping_mul(seed);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor(values: Vec<f32>, shape: [usize; 2]) -> Tensor<Flex, 2> {
    Tensor::from_data(burn::tensor::TensorData::new(values, shape), &Default::default())
}

/// A parameter's value and buffers after three steps of `rule` on gradients of noise.
fn three_steps(rule: impl Fn(Update<Flex>) -> Updated<Flex>, shape: [usize; 2], is_vector: bool) -> Vec<Vec<f32>> {
    let count = shape[0] * shape[1];
    let mut value = tensor(noise(count, 1), shape);
    let mut buffers = Vec::new();
    for step in 0..3 {
        (value, buffers) = rule(Update {
            value,
            gradient: tensor(noise(count, 2 + step), shape),
            buffers,
            decays: !is_vector,
            adapts: !is_vector,
            learning_rate: 0.3 * step as f64,
            step,
        });
    }
    let tensors = std::iter::once(value).chain(buffers);
    tensors.map(|tensor| tensor.into_data().into_vec().unwrap()).collect()
}

#[test]
fn adamw_is_that_of_the_tensor_ops_to_the_bit() {
    let rule = AdamW::new(0.1);
    for shape in SHAPES {
        for is_vector in [false, true] {
            let fused = three_steps(|update| Flex::adamw(&rule, update), shape, is_vector);
            let expected = three_steps(|update| rule.update(update), shape, is_vector);
            assert!(fused == expected, "{shape:?}, vector {is_vector}");
        }
    }
}

#[test]
fn lars_is_that_of_the_tensor_ops() {
    for shape in SHAPES {
        for (is_vector, clip) in [(false, false), (false, true), (true, false)] {
            let rule = Lars { clip, ..LARS };
            let fused = three_steps(|update| Flex::lars(&rule, update), shape, is_vector);
            let expected = three_steps(|update| rule.update(update), shape, is_vector);
            let pairs = fused.iter().flatten().zip(expected.iter().flatten());
            for (fused, expected) in pairs {
                let error = (fused - expected).abs();
                assert!(
                    error <= 2e-6 * expected.abs().max(1.0),
                    "{fused} is not {expected}: {shape:?}, {rule:?}, vector {is_vector}"
                );
            }
        }
    }
}

#[test]
fn sgd_is_that_of_the_tensor_ops_to_the_bit() {
    let rule = SGD;
    for shape in SHAPES {
        for is_vector in [false, true] {
            let fused = three_steps(|update| Flex::sgd(&rule, update), shape, is_vector);
            let expected = three_steps(|update| rule.update(update), shape, is_vector);
            assert!(fused == expected, "{shape:?}, vector {is_vector}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let shape = [5, 2 * CHUNK + 77];
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            [
                three_steps(|update| Flex::lars(&LARS, update), shape, false),
                three_steps(|update| Flex::adamw(&AdamW::new(0.1), update), shape, false),
                three_steps(|update| Flex::sgd(&SGD, update), shape, false),
            ]
        })
    };
    let alone = on(1);
    assert!(alone == on(3) && alone == on(8));
}

/// 300 times, because it takes that many for Burn's own `sum` of a tensor this large to show that it is nondeterministic.
#[test]
fn the_norms_of_a_large_weight_have_the_same_bytes_every_time() {
    let (value, gradient) = (noise(2048 * 2048, 1), noise(2048 * 2048, 2));
    let read = || momentum::norms(0.1, &value, &gradient).map(f64::to_bits);
    let first = read();
    assert!((1..300).all(|_| read() == first));
}

#[test]
fn the_width_of_the_vectors_changes_no_bit() {
    fn both<K: NullaryFnOnce>(kernel: impl Fn() -> K) -> [K::Output; 2] {
        [kernel().call(), Level::Best.run(kernel())]
    }
    for length in [1, 15, 16, 17, 63, 64, 65, 1000] {
        let (value, gradient) = (noise(length, 1), noise(length, 2));
        let [narrow, wide] = both(|| momentum::Squares {
            weight_decay: 0.1,
            value: &value,
            gradient: &gradient,
        });
        assert_eq!(narrow.map(f64::to_bits), wide.map(f64::to_bits), "{length} values");
    }
}

#[test]
fn what_is_owned_alone_is_updated_in_its_place() {
    let place = |tensor: &Tensor<Flex, 2>| {
        let primitive = tensor.clone().into_primitive().tensor();
        primitive.storage::<f32>().as_ptr()
    };
    let value = tensor(noise(12, 1), [3, 4]);
    let shared = value.clone();
    let update = |value: Tensor<Flex, 2>| {
        let gradient = tensor(noise(12, 2), [3, 4]);
        Flex::adamw(
            &AdamW::new(0.1),
            Update {
                value,
                gradient,
                buffers: Vec::new(),
                decays: true,
                adapts: true,
                learning_rate: 0.1,
                step: 0,
            },
        )
    };
    let (moved, buffers) = update(value);
    let kept: Vec<f32> = shared.into_data().into_vec().unwrap();
    assert_eq!(kept, noise(12, 1), "another owner keeps the old values");
    let places = [place(&moved), place(&buffers[0])];
    let again = Update {
        value: moved,
        gradient: tensor(noise(12, 3), [3, 4]),
        buffers,
        decays: true,
        adapts: true,
        learning_rate: 0.1,
        step: 1,
    };
    let (moved, buffers) = Flex::adamw(&AdamW::new(0.1), again);
    assert_eq!([place(&moved), place(&buffers[0])], places);
}
