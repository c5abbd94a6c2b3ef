//! Batch norm over several ranks: that of the whole batch, forward and backward, however its images are divided.

use std::ops::Range;
use std::sync::Arc;

use barlow_group::{Group, Threads};
use barlow_ops::{
    Affine, Epilogue, NormOps, NormPeers, NormSaved, Statistics, batch_norm_synced, batch_norm_train, norm_reference,
};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_flex::{Flex, FlexDevice, FlexTensor};

type B = Autodiff<Flex>;

const EPSILON: f64 = 1e-5;
const EPILOGUES: [Epilogue<()>; 3] = [Epilogue::Nothing, Epilogue::Relu, Epilogue::AddRelu(())];

#[derive(Debug)]
struct Ranks(Arc<dyn Group>);

impl NormPeers for Ranks {
    fn sum(&self, values: &mut [f64]) {
        self.0.sum(values.into()).unwrap();
    }
}

fn values(shape: [usize; 3], seed: usize, mean: f32) -> Vec<f32> {
    let value = |i: usize| ((i * 7 + seed * 13 + i * i % 31) as f32 * 0.1).sin() + mean;
    (0..shape.iter().product()).map(value).collect()
}

fn vector(channels: usize, seed: usize) -> Vec<f32> {
    (0..channels)
        .map(|c| ((c * 3 + seed) as f32 * 0.9).cos() * 1.5)
        .collect()
}

/// The images `rows`.
fn part<const D: usize>(values: &[f32], [_, c, s]: [usize; 3], rows: &Range<usize>, shape: [usize; D]) -> Tensor<B, D> {
    let part = values[rows.start * c * s..rows.end * c * s].to_vec();
    Tensor::from_data(TensorData::new(part, shape), &FlexDevice)
}

/// y, gradients of x and the residual for the images `rows`; mean, variance, gradients of weight and bias; values per channel.
type Results = ([Vec<f32>; 3], [Vec<f32>; 4], f64);

fn run(shape: [usize; 3], rows: Range<usize>, epilogue: Epilogue<()>, peers: Option<&Arc<dyn NormPeers>>) -> Results {
    let [_, c, s] = shape;
    let own = [rows.len(), c, s];
    let x = part(&values(shape, 1, 2.0), shape, &rows, own).require_grad();
    let weight = Tensor::<B, 1>::from_floats(vector(c, 1).as_slice(), &FlexDevice).require_grad();
    let bias = Tensor::<B, 1>::from_floats(vector(c, 5).as_slice(), &FlexDevice).require_grad();
    let residual = part(&values(shape, 3, 0.0), shape, &rows, own).require_grad();
    let with = epilogue.map(|()| residual.clone());
    let affine = (Some(weight.clone()), Some(bias.clone()));
    let (y, mean, variance, count) = match peers {
        None => {
            let (y, mean, variance) = batch_norm_train(x.clone(), affine.0, affine.1, EPSILON, with);
            (y, mean, variance, (rows.len() * s) as f64)
        }
        Some(peers) => {
            let (y, [mean, variance], count) = batch_norm_synced(x.clone(), affine.0, affine.1, EPSILON, with, peers);
            (y, mean, variance, count)
        }
    };
    let dy = part(&values(shape, 2, 0.1), shape, &rows, own);
    let gradients = (y.clone() * dy).sum().backward();
    let host = |tensor: Tensor<Flex, 3>| tensor.into_data().to_vec::<f32>().unwrap();
    let of = |tensor: &Tensor<B, 3>| tensor.grad(&gradients).map_or(Vec::new(), host);
    let of_vector = |tensor: &Tensor<B, 1>| tensor.grad(&gradients).unwrap().into_data().to_vec::<f32>().unwrap();
    let plain = |tensor: Tensor<B, 1>| tensor.into_data().to_vec::<f32>().unwrap();
    (
        [host(y.inner()), of(&x), of(&residual)],
        [plain(mean), plain(variance), of_vector(&weight), of_vector(&bias)],
        count,
    )
}

fn assert_close(ours: &[f32], other: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), other.len(), "{what}");
    let scale = other.iter().fold(1e-2f32, |scale, value| scale.max(value.abs()));
    for (index, (a, b)) in ours.iter().zip(other).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * scale,
            "{what}: element {index} is {a}, not {b} ({scale})"
        );
    }
}

/// Cuts of 7 images, with as few as one.
const CUTS: [&[usize]; 5] = [&[0, 7], &[0, 3, 7], &[0, 1, 2, 7], &[0, 2, 4, 7], &[0, 1, 3, 6, 7]];

#[test]
fn all_ranks_together_are_one_batch_forward_and_backward() {
    for shape in [[7, 5, 16], [7, 300, 1], [7, 3, 49], [7, 1, 1]] {
        for epilogue in EPILOGUES {
            let (of_images, of_channels, _) = run(shape, 0..7, epilogue, None);
            for cuts in CUTS {
                let what = format!("{shape:?}, {epilogue:?}, {cuts:?}");
                let found = Threads::new(cuts.len() - 1).run(|group| {
                    let rank = group.place().rank;
                    let peers: Arc<dyn NormPeers> = Arc::new(Ranks(group));
                    run(shape, cuts[rank]..cuts[rank + 1], epilogue, Some(&peers))
                });
                let found: Vec<Results> = found.into_iter().map(|found| found.unwrap()).collect();
                for (index, name) in ["y", "gradient of x", "gradient of the residual"]
                    .into_iter()
                    .enumerate()
                {
                    let all: Vec<f32> = found
                        .iter()
                        .flat_map(|(of_images, ..)| of_images[index].clone())
                        .collect();
                    assert_close(&all, &of_images[index], 2e-5, &format!("{name}: {what}"));
                }
                for (_, vectors, count) in &found {
                    assert_eq!(*count, (shape[0] * shape[2]) as f64);
                    assert_eq!(vectors[..2], found[0].1[..2], "statistics have equal bytes: {what}");
                    assert_close(&vectors[0], &of_channels[0], 1e-6, &format!("mean: {what}"));
                    assert_close(&vectors[1], &of_channels[1], 1e-5, &format!("variance: {what}"));
                }
                for index in [2, 3] {
                    let mut sum = vec![0.0; shape[1]];
                    for (_, vectors, _) in &found {
                        sum.iter_mut()
                            .zip(&vectors[index])
                            .for_each(|(sum, value)| *sum += value);
                    }
                    assert_close(
                        &sum,
                        &of_channels[index],
                        2e-5,
                        &format!("gradient {index} of channels: {what}"),
                    );
                }
            }
        }
    }
}

#[test]
fn a_large_mean_costs_no_digits_of_the_variance() {
    let shape = [6, 2, 50];
    let rows = |rank: usize| rank * 3..rank * 3 + 3;
    let of = |mean: f32| {
        Threads::new(2).run(|group| {
            let rank = group.place().rank;
            let x = part(&values(shape, 1, mean), shape, &rows(rank), [3, 2, 50]);
            let peers: Arc<dyn NormPeers> = Arc::new(Ranks(group));
            let (_, [_, variance], _) = batch_norm_synced(x, None, None, EPSILON, Epilogue::Nothing, &peers);
            variance.into_data().to_vec::<f32>().unwrap()
        })
    };
    let (near, far) = (of(0.0), of(1000.0));
    // 1000 + x is x rounded to 6e-5.
    assert_close(far[0].as_ref().unwrap(), near[0].as_ref().unwrap(), 2e-4, "variance");
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn bits(tensor: &FlexTensor) -> Vec<u32> {
    let values: Vec<f32> = tensor.clone().into_data().to_vec().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// The CPU's kernels of the halves of a pass: together the whole pass bit for bit, and tensor ops to rounding.
#[test]
fn halves_of_a_pass_are_the_pass() {
    for shape in [[3, 40, 1], [4, 17, 16], [3, 5, 49], [2, 3, 1000], [1, 1, 50]] {
        for epilogue in EPILOGUES {
            let c = shape[1];
            let what = format!("{shape:?}, {epilogue:?}");
            let x = || tensor(values(shape, 1, 0.5), shape);
            let affine = || Affine {
                weight: tensor(vector(c, 1), [c]),
                bias: tensor(vector(c, 5), [c]),
            };
            let with = || epilogue.map(|()| tensor(values(shape, 3, 0.0), shape));
            let whole = Flex::batch_norm_forward(x(), affine(), EPSILON, with());
            let Statistics { mean, variance } = Flex::batch_norm_statistics(x());
            assert_eq!(bits(&mean), bits(&whole.statistics.mean), "{what}");
            assert_eq!(bits(&variance), bits(&whole.statistics.variance), "{what}");
            let y = Flex::batch_norm_with(x(), affine(), whole.statistics.clone(), EPSILON, with());
            assert!(bits(&y) == bits(&whole.y), "{what}");
            let other = norm_reference::with::<Flex>(x(), affine(), whole.statistics.clone(), EPSILON, with());
            let floats = |tensor: &FlexTensor| tensor.clone().into_data().to_vec::<f32>().unwrap();
            assert_close(&floats(&y), &floats(&other), 1e-5, &what);

            let saved = || NormSaved::<Flex> {
                x: x(),
                affine: affine(),
                statistics: whole.statistics.clone(),
                epsilon: EPSILON,
                epilogue: epilogue.map(|()| whole.y.clone()),
            };
            let dy = || tensor(values(shape, 2, 0.1), shape);
            for wants_residual in [true, false] {
                let expected = Flex::batch_norm_backward(saved(), dy(), wants_residual);
                let kept = dy();
                let (masked, [bias, weight]) = Flex::batch_norm_gradient_sums(&saved(), kept.clone());
                assert!(bits(&kept) == bits(&dy()), "a shared gradient stays as it is");
                let (of_reference, sums) = norm_reference::gradient_sums::<Flex>(&saved(), dy());
                assert_close(&floats(&sums[0]), &floats(&bias), 2e-5, &what);
                assert_close(&floats(&sums[1]), &floats(&weight), 2e-5, &what);
                assert_eq!(
                    (bits(&bias), bits(&weight)),
                    (bits(&expected.bias), bits(&expected.weight)),
                    "{what}"
                );
                let count = (shape[0] * shape[2]) as f32;
                let mean = |sum: &FlexTensor| {
                    let means = floats(sum).iter().map(|sum| sum / count).collect();
                    tensor(means, [c])
                };
                let means = || [mean(&bias), mean(&weight)];
                let (dx, residual) = Flex::batch_norm_input_gradient(saved(), masked, means(), wants_residual);
                assert_close(&floats(&dx), &floats(&expected.x), 1e-5, &what);
                let found = residual.as_ref().map(bits);
                assert!(found == expected.residual.as_ref().map(bits), "{what}");
                let (other, residual) =
                    norm_reference::input_gradient::<Flex>(saved(), of_reference, means(), wants_residual);
                assert_close(&floats(&other), &floats(&dx), 2e-5, &what);
                assert_eq!(residual.is_some(), expected.residual.is_some());
            }
        }
    }
}
