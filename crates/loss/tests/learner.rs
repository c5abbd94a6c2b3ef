//! The example with Burn's own `Learner`, run.

#[path = "../examples/learner.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod learner;

use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use std::path::Path;

#[test]
fn burns_learner_trains_with_the_loss() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("learner");
    let [before, after, floor] = learner::train::<Autodiff<Flex>>(&folder, &FlexDevice);
    assert!(
        after < 0.5 * before && after > floor,
        "loss {before} before, {after} after, floor {floor}"
    );
}
