//! The type of what never comes, which stable Rust lets nobody name but as what a function returns.

#[doc(hidden)]
pub trait Returns {
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// `!`: what a future gives that is never ready, such as [`Resume`](crate::Resume). It fits wherever a value of any type is expected.
pub type Never = <fn() -> ! as Returns>::Output;
