//! Tests of the panics for shapes for which no loss is defined.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Tensor;

use super::{FORMS, Tested, config};

pub fn shapes_that_do_not_fit_are_named<T: Tested>(device: &T::Device) {
    let cases = [
        (
            [4, 3],
            [4, 5],
            "must have the same shape [N, D]: z_a is [4, 3], z_b is [4, 5]",
        ),
        (
            [4, 3],
            [6, 3],
            "must have the same shape [N, D]: z_a is [4, 3], z_b is [6, 3]",
        ),
        ([1, 3], [1, 3], "at least N = 2 images: z_a is [1, 3], z_b is [1, 3]"),
        ([4, 0], [4, 0], "no dimension (D = 0): z_a is [4, 0], z_b is [4, 0]"),
    ];
    for (a, b, expected) in cases {
        let [a, b] = [a, b].map(|shape| Tensor::<T, 2>::zeros(shape, device));
        for form in FORMS {
            let criterion = config(form).init();
            let text = panic_of(|| drop(criterion.forward(a.clone(), b.clone())));
            assert!(text.contains(expected), "{text}");
            let text = panic_of(|| drop(criterion.forward_portable(a.clone(), b.clone())));
            assert!(text.contains(expected), "{text}");
        }
    }
}

pub fn panic_of(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).expect_err("a panic");
    let text = payload.downcast::<String>().expect("a panic with a formatted text");
    *text
}
