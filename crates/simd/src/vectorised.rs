//! The `vectorised!` macro: plain loops as kernels.

/// Defines functions whose bodies are compiled for several instruction sets; a call runs at the thread's
/// [current level](crate::Level::current).
///
/// Arguments that borrow need named lifetimes. What a body calls must be `#[inline(always)]`. With `max: LEVEL;` in front, the functions
/// run at that level at most: loops over short rows of unaligned memory are often fastest with AVX2, as every unaligned AVX-512 vector
/// spans two cache lines.
///
/// ```
/// barlow_simd::vectorised! {
///     /// Adds `factor` · `x` to `y`, element by element.
///     pub fn add_scaled<'a>(y: &'a mut [f32], factor: f32, x: &'a [f32]) {
///         y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
///     }
/// }
///
/// let mut y = [1.0; 100];
/// add_scaled(&mut y, 2.0, &[0.5; 100]);
/// assert_eq!(y, [2.0; 100]);
/// ```
#[macro_export]
macro_rules! vectorised {
    (max: $max:expr; $($functions:tt)+) => {
        $crate::vectorised!(@functions $max; $($functions)+);
    };
    (@functions $max:expr; $(
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident<$($life:lifetime),+ $(,)?>($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    )+) => {$(
        $(#[$meta])*
        $visibility fn $name<$($life),+>($($argument: $type),*) $(-> $result)? {
            struct Kernel<$($life),+> {
                $($argument: $type),*
            }
            impl<$($life),+> $crate::NullaryFnOnce for Kernel<$($life),+> {
                #[allow(unused_parens)]
                type Output = ($($result)?);

                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Self { $($argument),* } = self;
                    $body
                }
            }
            $crate::Level::current().min($max).run(Kernel { $($argument),* })
        }
    )+};
    ($($functions:tt)+) => {
        $crate::vectorised!(@functions $crate::Level::Best; $($functions)+);
    };
}
