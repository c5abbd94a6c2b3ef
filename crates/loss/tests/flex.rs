//! The loss test suite on the CPU backend, and tests of its bitwise determinism.

mod common;

use barlow_loss::LossForm;
use barlow_loss::ops::{LossOps, Product};
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
use burn::tensor::Tensor;
use burn_flex::Flex;
use common::{config, parity, run};

suite!(Autodiff<Flex>, Default::default());

/// CI tests an optimised build with the full number of repetitions; without optimisation they take a minute and a half.
fn repeats(full: usize) -> usize {
    if cfg!(debug_assertions) { 3.min(full) } else { full }
}

#[test]
fn repeated_runs_give_the_same_bytes() {
    // 2304² is about 5.3 million elements of C, above the 4,194,304 from which Burn's tensor sum is parallel.
    for ([n, d], form, runs) in [
        ([16, 2304], LossForm::Reference, 20),
        ([16, 2304], LossForm::Direct, 20),
        ([96, 5000], LossForm::Gram, 30),
        ([2100, 300], LossForm::Gram, 20),
        ([700, 640], LossForm::Direct, 30),
    ] {
        let [a, b] = parity::large(n, d);
        let once = || parity::bits(&run::<Autodiff<Flex>>(&config(form), [&a, &b], &Default::default()));
        let first = once();
        for repetition in 1..repeats(runs) {
            assert!(once() == first, "{n} x {d} {form:?}: repetition {repetition} differs");
        }
    }
}

#[test]
fn any_number_of_threads_agrees_and_repeats_itself() {
    // The Gram form splits its blocks into as many parts as threads, and uses multithreaded products if there are fewer blocks.
    for ([n, d], form) in [
        ([70, 3000], LossForm::Gram),
        ([300, 200], LossForm::Gram),
        ([300, 200], LossForm::Direct),
        ([20, 15], LossForm::Direct),
    ] {
        let [a, b] = parity::large(n, d);
        let once = || run::<Autodiff<Flex>>(&config(form), [&a, &b], &Default::default());
        let expected = once();
        for threads in [1, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let first = pool.install(once);
            parity::same(
                &first,
                &expected,
                1e-5,
                &format!("{n} x {d} {form:?}, {threads} threads"),
            );
            for _ in 0..repeats(5) {
                assert!(parity::bits(&pool.install(once)) == parity::bits(&first));
            }
        }
    }
}

#[test]
fn another_strategy_of_checkpoints_gives_the_same() {
    parity::the_goldens_of_torch::<Autodiff<Flex, BalancedCheckpointing>>(&Default::default());
}

#[test]
fn untracked_embeddings_keep_nothing() {
    let z = || {
        Tensor::<Flex, 2>::ones([8, 20], &Default::default())
            .into_primitive()
            .tensor()
    };
    for product in [Product::Direct, Product::Gram] {
        assert!(Flex::terms_forward(product, [z(), z()], 1e-5, false).kept.is_empty());
    }
}
