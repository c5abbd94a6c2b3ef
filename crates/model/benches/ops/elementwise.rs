//! Benchmarks of batch norm with its epilogues and of pooling, which are memory-bound. As in a training step, operands are new
//! and not shared, so that outputs can reuse their memory; x is shared where a step shares it.

use std::hint::black_box;
use std::time::Instant;

use barlow_ops::{
    Affine, ConvGeometry, Epilogue, MaxPooled, NormGradients, NormOps, NormSaved, Normalized, PoolOps, Statistics,
    Window, norm_reference, pool_reference,
};
use burn::tensor::{DType, Shape, TensorMetadata};
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

/// The pooling of the ImageNet stem at 224 and at 64 pixels, and the mean after the last stage.
const MAX_CASES: [(&str, [usize; 4]); 2] = [
    ("max-pool-64-112px-n16", [16, 64, 112, 112]),
    ("max-pool-64-32px-n64", [64, 64, 32, 32]),
];
const MEAN_CASES: [(&str, [usize; 4]); 2] = [
    ("mean-pool-512-4px-n128", [128, 512, 4, 4]),
    ("mean-pool-2048-7px-n32", [32, 2048, 7, 7]),
];

pub fn run(options: &Options) {
    for (name, shape) in MAX_CASES.into_iter().filter(|case| case.0.contains(&options.case)) {
        run_max(name, shape, options);
    }
    for (name, shape) in MEAN_CASES.into_iter().filter(|case| case.0.contains(&options.case)) {
        run_mean(name, shape, options);
    }
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

fn run_max(name: &str, shape: [usize; 4], options: &Options) {
    let window = Window {
        size: 3,
        geometry: ConvGeometry { stride: 2, padding: 1 },
    };
    let x = formula(shape);
    type Forward = fn(FlexTensor, Window) -> MaxPooled<Flex>;
    let forward: [Forward; 2] = [Flex::max_pool2d_forward, pool_reference::max_forward];
    compare(
        name,
        "forward",
        options,
        forward,
        || x.clone(),
        |forward, x| forward(x, window),
    );

    type Backward = fn(FlexTensor, FlexTensor, Window, Shape) -> FlexTensor;
    let backward: [(Forward, Backward); 2] = [
        (forward[0], Flex::max_pool2d_backward),
        (forward[1], pool_reference::max_backward::<Flex>),
    ];
    let backward = backward.map(|(forward, backward)| {
        let pooled = forward(x.clone(), window);
        (pooled.y, pooled.places, backward)
    });
    let backward = backward.each_ref();
    compare(
        name,
        "backward",
        options,
        backward,
        || x.shape(),
        |(dy, places, backward), shape| backward(dy.clone(), places.clone(), window, shape),
    );
}

fn run_mean(name: &str, shape: [usize; 4], options: &Options) {
    let (x, dy) = (formula(shape), formula([shape[0], shape[1]]));
    type Forward = fn(FlexTensor) -> FlexTensor;
    let forward: [Forward; 2] = [Flex::mean_pool2d_forward, pool_reference::mean_forward::<Flex>];
    compare(name, "forward", options, forward, || x.clone(), |forward, x| forward(x));

    type Backward = fn(FlexTensor, Shape) -> FlexTensor;
    // A view costs nothing until it is read.
    let written = |dy, shape| pool_reference::mean_backward::<Flex>(dy, shape).to_contiguous();
    let backward: [Backward; 2] = [Flex::mean_pool2d_backward, written];
    compare(
        name,
        "backward",
        options,
        backward,
        || dy.clone(),
        |backward, dy| backward(dy, x.shape()),
    );
}

/// Times both of `ops`, with new operands for each run, whose construction is not timed.
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
