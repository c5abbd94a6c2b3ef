//! Tests of grouped convolutions: outputs and gradients against the definition in f64.

use barlow_ops::{ConvGeometry, grouped_conv2d};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_flex::{Flex, FlexDevice};

type B = Autodiff<Flex>;

struct Case {
    x: [usize; 4],
    weight: [usize; 4],
    geometry: ConvGeometry,
    groups: usize,
}

impl Case {
    fn out(&self) -> [usize; 4] {
        let [n, _, height, width] = self.x;
        let [channels, _, kernel, _] = self.weight;
        let [height, width] = [height, width].map(|side| self.geometry.output_size(side, kernel));
        [n, channels, height, width]
    }
}

fn formula(shape: [usize; 4], seed: usize) -> Vec<f32> {
    let value = |i: usize| ((i * 7 + seed * 13) as f32 * 0.1).sin();
    (0..shape.iter().product()).map(value).collect()
}

/// Output, input gradient and weight gradient, each element with the sum of its terms' absolute values.
fn definition(case: &Case, x: &[f32], weight: &[f32], dy: &[f32]) -> [Vec<[f64; 2]>; 3] {
    let &Case {
        x: [n, channels_in, height, width],
        weight: [channels_out, per_group, kernel, _],
        geometry: ConvGeometry { stride, padding },
        groups,
    } = case;
    let [_, _, out_height, out_width] = case.out();
    let mut sums = [dy.len(), x.len(), weight.len()].map(|len| vec![[0.0; 2]; len]);
    for image in 0..n {
        for o in 0..channels_out {
            let group = o / (channels_out / groups);
            for (c, oy, ox) in (0..per_group)
                .flat_map(|c| (0..out_height).flat_map(move |oy| (0..out_width).map(move |ox| (c, oy, ox))))
            {
                for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                    let [iy, ix] = [oy * stride + ky, ox * stride + kx].map(|at| at.checked_sub(padding));
                    let (Some(iy), Some(ix)) = (iy, ix) else { continue };
                    if iy >= height || ix >= width {
                        continue;
                    }
                    let y = ((image * channels_out + o) * out_height + oy) * out_width + ox;
                    let i = ((image * channels_in + group * per_group + c) * height + iy) * width + ix;
                    let w = ((o * per_group + c) * kernel + ky) * kernel + kx;
                    let [value, tap, gradient] = [x[i], weight[w], dy[y]].map(f64::from);
                    for (sum, at, term) in [(0, y, value * tap), (1, i, gradient * tap), (2, w, gradient * value)] {
                        sums[sum][at][0] += term;
                        sums[sum][at][1] += term.abs();
                    }
                }
            }
        }
    }
    sums
}

#[test]
fn output_and_gradients_are_those_of_the_definition() {
    for (channels_in, channels_out, groups) in [(4, 6, 2), (6, 6, 6), (9, 3, 3), (8, 16, 4), (5, 4, 1)] {
        for (kernel, stride, padding) in [(3, 1, 1), (3, 2, 1), (1, 1, 0), (1, 2, 0), (3, 1, 2)] {
            check(Case {
                x: [2, channels_in, 7, 6],
                weight: [channels_out, channels_in / groups, kernel, kernel],
                geometry: ConvGeometry { stride, padding },
                groups,
            });
        }
    }
    // The widths of a ResNeXt-50.
    check(Case {
        x: [2, 128, 5, 5],
        weight: [128, 4, 3, 3],
        geometry: ConvGeometry { stride: 2, padding: 1 },
        groups: 32,
    });
}

fn check(case: Case) {
    let (x, weight, dy) = (formula(case.x, 1), formula(case.weight, 2), formula(case.out(), 3));
    let [y, dx, dw] = definition(&case, &x, &weight, &dy);
    let tensor = |values: &[f32], shape: [usize; 4]| {
        Tensor::<B, 4>::from_data(TensorData::new(values.to_vec(), shape), &FlexDevice)
    };
    let (x, weight) = (
        tensor(&x, case.x).require_grad(),
        tensor(&weight, case.weight).require_grad(),
    );
    let out = grouped_conv2d(x.clone(), weight.clone(), case.geometry, case.groups);
    assert_eq!(out.dims(), case.out());
    // A second use of x, so that its gradient is added to another.
    let loss = (out.clone() * tensor(&dy, case.out())).sum() + x.clone().sum();
    let gradients = loss.backward();
    let dx = dx.into_iter().map(|[sum, scale]| [sum + 1.0, scale + 1.0]).collect();
    close("y", out.into_data(), y, &case);
    close("dx", x.grad(&gradients).unwrap().into_data(), dx, &case);
    close("dw", weight.grad(&gradients).unwrap().into_data(), dw, &case);
}

fn close(what: &str, found: TensorData, expected: Vec<[f64; 2]>, case: &Case) {
    let found: Vec<f32> = found.to_vec().unwrap();
    assert_eq!(found.len(), expected.len());
    for (index, (found, [sum, scale])) in found.into_iter().zip(expected).enumerate() {
        assert!(
            (f64::from(found) - sum).abs() <= 1e-5 * scale.max(1e-3),
            "{what}[{index}] is {found}, expected {sum}: {:?} {:?} {:?} in {} groups",
            case.x,
            case.weight,
            case.geometry,
            case.groups
        );
    }
}

#[test]
fn twenty_repetitions_give_the_same_bytes() {
    let gradients = || {
        let tensor = |shape, seed| {
            let data = TensorData::new(formula(shape, seed), shape);
            Tensor::<B, 4>::from_data(data, &FlexDevice).require_grad()
        };
        let (x, weight) = (tensor([5, 32, 9, 9], 1), tensor([32, 2, 3, 3], 2));
        let y = grouped_conv2d(x.clone(), weight.clone(), ConvGeometry { stride: 2, padding: 1 }, 16);
        let gradients = (y.clone() * y).sum().backward();
        [
            x.grad(&gradients).unwrap().into_data(),
            weight.grad(&gradients).unwrap().into_data(),
        ]
    };
    let first = gradients();
    for _ in 0..20 {
        assert!(gradients() == first);
    }
}

#[test]
#[should_panic(expected = "do not fit 2 groups")]
fn channels_of_other_groups_are_refused() {
    let tensor = |shape| Tensor::<Flex, 4>::from_data(TensorData::new(formula(shape, 1), shape), &FlexDevice);
    let geometry = ConvGeometry { stride: 1, padding: 1 };
    grouped_conv2d(tensor([2, 8, 5, 5]), tensor([4, 2, 3, 3]), geometry, 2);
}
