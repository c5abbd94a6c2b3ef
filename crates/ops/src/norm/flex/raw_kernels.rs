//! Tests of the tasks on tiny shapes at the baseline level, without Burn and without threads, for Miri (command: docs of the
//! crate).

use std::mem::MaybeUninit;

use barlow_simd::Level;

use super::backward::{BackwardPass, BackwardTask, TaskOperand};
use super::eval::EvalTask;
use super::forward::{ForwardPass, ForwardTask};
use super::layout::NormLayout;
use crate::cpu::in_place::InPlaceOrFresh;
use crate::norm::Epilogue;

const LEVEL: Level = Level::Baseline;
/// Two tasks of feature maps, and one task of vectors.
const SHAPES: [[usize; 3]; 2] = [[2, 3, 130], [3, 5, 1]];
const EPILOGUES: [Epilogue<()>; 3] = [Epilogue::Nothing, Epilogue::Relu, Epilogue::AddRelu(())];

fn formula(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.1).sin()).collect()
}

/// The values that `work` writes in place of `operand`. It must write the same values to new memory; Miri checks that it writes
/// all.
fn output<R: PartialEq + std::fmt::Debug>(operand: &[f32], work: impl Fn(InPlaceOrFresh<'_>) -> R) -> (Vec<f32>, R) {
    let mut replaced = operand.to_vec();
    let result = work(InPlaceOrFresh::InPlace(&mut replaced));
    let mut fresh = vec![MaybeUninit::uninit(); operand.len()];
    assert_eq!(work(InPlaceOrFresh::Fresh(&mut fresh, operand)), result);
    // SAFETY: `work` writes every float.
    let fresh: Vec<f32> = fresh.into_iter().map(|float| unsafe { float.assume_init() }).collect();
    assert_eq!(fresh, replaced);
    (fresh, result)
}

#[test]
fn forward_and_backward_tasks() {
    for [images, channels, pixels] in SHAPES {
        let layout = NormLayout {
            images,
            channels,
            pixels,
        };
        let operand = |seed| formula(images * channels * pixels, seed);
        let (x, dy, residual) = (operand(1), operand(2), operand(3));
        let (weight, bias) = (formula(channels, 4), formula(channels, 5));
        for epilogue in EPILOGUES {
            let pass = ForwardPass {
                layout,
                x: &x,
                weight: &weight,
                bias: &bias,
                epsilon: 1e-5,
                epilogue,
            };
            let made_of = if epilogue == Epilogue::AddRelu(()) {
                &residual
            } else {
                &x
            };
            let (y, statistics) = output(made_of, |y| {
                let tasks = layout.tasks(y).into_iter().enumerate();
                let run = |(index, y)| {
                    let first = index * layout.run();
                    LEVEL.run(ForwardTask { pass, first, y })
                };
                tasks.flat_map(run).collect::<Vec<_>>()
            });
            let values = |channel| {
                x.iter()
                    .enumerate()
                    .filter(move |(index, _)| index / pixels % channels == channel)
            };
            for (channel, [mean, _]) in statistics.iter().enumerate() {
                let expected = values(channel).map(|(_, x)| x).sum::<f32>() / (images * pixels) as f32;
                assert!((mean - expected).abs() < 1e-5, "{mean}, not {expected}");
            }

            let (mean, variance): (Vec<f32>, Vec<f32>) = statistics.into_iter().map(|[m, v]| (m, v)).unzip();
            let pass = BackwardPass {
                layout,
                weight: &weight,
                bias: &bias,
                mean: &mean,
                variance: &variance,
                epsilon: 1e-5,
                epilogue: epilogue.map(|()| &y[..]),
            };
            let run = |x: Vec<TaskOperand<'_>>, dy: InPlaceOrFresh<'_>| {
                let tasks = x.into_iter().zip(layout.tasks(dy)).enumerate();
                let run = |(index, (x, dy))| {
                    let first = index * layout.run();
                    LEVEL.run(BackwardTask { pass, first, x, dy })
                };
                tasks.flat_map(run).collect::<Vec<_>>()
            };
            let read_only = || {
                (0..channels.div_ceil(layout.run()))
                    .map(|_| TaskOperand::ReadOnly(&x))
                    .collect()
            };
            let (dx, sums) = output(&dy, |dy| run(read_only(), dy));
            if epilogue == Epilogue::AddRelu(()) {
                let (replaced, sums_too) = output(&x, |x| {
                    let x = layout.tasks(x).into_iter().map(TaskOperand::Replaced).collect();
                    run(x, InPlaceOrFresh::InPlace(&mut dy.clone()))
                });
                assert_eq!((replaced, sums_too), (dx, sums));
            }
        }
    }
}

#[test]
fn eval_tasks() {
    for [_, channels, pixels] in SHAPES {
        let (x, residual) = (formula(channels * pixels, 1), formula(channels * pixels, 2));
        let (scale, shift) = (formula(channels, 3), formula(channels, 4));
        for epilogue in EPILOGUES {
            let (y, ()) = output(&x, |y| {
                LEVEL.run(EvalTask {
                    pixels,
                    params: [&scale, &shift],
                    epilogue: epilogue.map(|()| &residual[..]),
                    y,
                })
            });
            for (index, y) in y.iter().enumerate() {
                let normal = x[index] * scale[index / pixels] + shift[index / pixels];
                let expected = match epilogue {
                    Epilogue::Nothing => normal,
                    Epilogue::Relu => normal.max(0.0),
                    Epilogue::AddRelu(()) => (normal + residual[index]).max(0.0),
                };
                assert_eq!(*y, expected);
            }
        }
    }
}
