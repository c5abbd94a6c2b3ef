//! Batch norm with what follows it, which memory and not arithmetic bounds. Operands are fresh, and nobody else holds them, as
//! in a training step: outputs may take their place. x is held where a step holds it.

use std::hint::black_box;
use std::time::Instant;

use barlow_model::ops::{Affine, Epilogue, NormGradients, NormOps, NormSaved, Normalized, Statistics, norm_reference};
use burn::tensor::{DType, Shape};
use burn_flex::{Flex, FlexTensor};

use super::{Options, formula, line};

struct NormCase {
    name: &'static str,
    shape: [usize; 3],
}

#[rustfmt::skip]
const NORM_CASES: [NormCase; 8] = [
    NormCase { name: "norm-16-32px-n128", shape: [128, 16, 1024] },
    NormCase { name: "norm-64-32px-n32", shape: [32, 64, 1024] },
    NormCase { name: "norm-64-32px-n64", shape: [64, 64, 1024] },
    NormCase { name: "norm-128-16px-n64", shape: [64, 128, 256] },
    NormCase { name: "norm-512-4px-n32", shape: [32, 512, 16] },
    NormCase { name: "norm-512-4px-n64", shape: [64, 512, 16] },
    NormCase { name: "norm-512-vectors-n128", shape: [128, 512, 1] },
    NormCase { name: "norm-2048-vectors-n256", shape: [256, 2048, 1] },
];

pub fn run(options: &Options) {
    for case in NORM_CASES.iter().filter(|case| case.name.contains(&options.case)) {
        for (suffix, epilogue) in [
            ("", Epilogue::Nothing),
            ("-relu", Epilogue::Relu),
            ("-add-relu", Epilogue::AddRelu(())),
        ] {
            run_norm(&format!("{}{suffix}", case.name), case.shape, epilogue, options);
        }
    }
}

fn run_norm(name: &str, shape: [usize; 3], epilogue: Epilogue<()>, options: &Options) {
    let (x, vector) = (formula(shape), formula([shape[1]]));
    let affine = || Affine {
        weight: vector.clone(),
        bias: vector.clone(),
    };
    let statistics = || Statistics {
        mean: vector.clone(),
        variance: FlexTensor::filled_typed(Shape::new([shape[1]]), DType::F32, 0.5f32),
    };
    let residual = || epilogue.map(|()| formula(shape));
    let saved = || NormSaved {
        x: formula(shape),
        affine: affine(),
        statistics: statistics(),
        epsilon: 1e-5,
        epilogue: residual(),
    };

    type Forward = fn(FlexTensor, Affine<Flex>, f64, Epilogue<FlexTensor>) -> Normalized<Flex>;
    let forward: [Forward; 2] = [Flex::batch_norm_forward, norm_reference::forward];
    compare(name, "forward", options, forward, residual, |forward, residual| {
        forward(x.clone(), affine(), 1e-5, residual)
    });

    type Backward = fn(NormSaved<Flex>, FlexTensor, bool) -> NormGradients<Flex>;
    let backward: [Backward; 2] = [Flex::batch_norm_backward, norm_reference::backward];
    let operands = || (saved(), formula(shape));
    compare(
        name,
        "backward",
        options,
        backward,
        operands,
        |backward, (saved, dy)| backward(saved, dy, true),
    );

    type Eval = fn(FlexTensor, Affine<Flex>, Statistics<Flex>, f64, Epilogue<FlexTensor>) -> FlexTensor;
    let eval: [Eval; 2] = [Flex::batch_norm_eval, norm_reference::eval];
    let operands = || (formula(shape), residual());
    compare(name, "eval", options, eval, operands, |eval, (x, residual)| {
        eval(x, affine(), statistics(), 1e-5, residual)
    });
}

/// Times both of `ops` on operands that are made anew, and not timed, for each run.
fn compare<O: Copy, T, R>(
    name: &str,
    pass: &str,
    options: &Options,
    [ours, burn]: [O; 2],
    operands: impl Fn() -> T,
    call: impl Fn(O, T) -> R,
) {
    let seconds = |op, repeats| {
        black_box(call(op, operands()));
        let mut seconds: Vec<f64> = (0..repeats)
            .map(|_| {
                let operands = operands();
                let start = Instant::now();
                black_box(call(op, operands));
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        [seconds[seconds.len() / 2], seconds[0]]
    };
    let ours = seconds(ours, options.repeats);
    let burn = options.with_burn.then(|| seconds(burn, 3)[0]);
    line("elementwise", name, pass, None, ours, burn, options);
}
