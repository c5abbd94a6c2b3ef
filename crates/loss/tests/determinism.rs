//! The same input gives the same bytes on the CPU, at a size where Burn's own sum would not (more than 4 Mi elements).

mod common;

use barlow_loss::BarlowTwinsLossConfig;
use common::{normal, values};

#[test]
fn repeated_runs_give_the_same_bytes() {
    // 2304² is about 5.3 million elements of C, above the 4,194,304 where a parallel sum begins.
    let (z_a, z_b) = (normal(16, 2304, 1).require_grad(), normal(16, 2304, 2).require_grad());
    let run = || {
        let out = BarlowTwinsLossConfig::new().init().forward(z_a.clone(), z_b.clone());
        let gradients = out.loss.backward();
        let readings = [out.loss, out.invariance, out.redundancy_reduction, out.off_diagonal_rms];
        let mut bits: Vec<u32> = readings
            .into_iter()
            .map(|reading| values(reading)[0].to_bits())
            .collect();
        for z in [&z_a, &z_b] {
            let gradient = z.grad(&gradients).unwrap().into_data().to_vec::<f32>().unwrap();
            bits.extend(gradient.into_iter().map(f32::to_bits));
        }
        bits
    };
    let first = run();
    for repetition in 1..20 {
        assert!(run() == first, "repetition {repetition} differs");
    }
}
