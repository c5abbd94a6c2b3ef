//! The suite on the CPU backend, and the same bytes in every run there.

mod common;

use barlow_loss::LossForm;
use burn::backend::Autodiff;
use burn_flex::Flex;
use common::{config, parity, run};

suite!(Autodiff<Flex>, Default::default());

#[test]
fn repeated_runs_give_the_same_bytes() {
    // 2304² is about 5.3 million elements of C, above the 4,194,304 where Burn's own sum of a tensor goes parallel.
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
        for repetition in 1..runs {
            assert!(once() == first, "{n} x {d} {form:?}: repetition {repetition} differs");
        }
    }
}
