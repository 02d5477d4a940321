//! Calls with options: what asyncio gives a function as keyword arguments is said on the call itself, before it is awaited.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// The options, until the first poll; then the future that is made of them.
pub(crate) enum Configured<O, T> {
    Options(O),
    Running(Pin<Box<dyn Future<Output = T> + Send>>),
    /// While the future is made, and for good if that has panicked.
    Empty,
}

impl<O, T> Configured<O, T> {
    /// The options, to change them.
    ///
    /// # Panics
    ///
    /// If it has been polled.
    #[track_caller]
    pub(crate) fn options(&mut self) -> &mut O {
        match self {
            Self::Options(options) => options,
            _ => panic!("options are set before the future is polled"),
        }
    }

    /// Polls the future, which the first call makes.
    pub(crate) fn poll<F>(&mut self, cx: &mut Context<'_>, make: impl FnOnce(O) -> F) -> Poll<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        if let Self::Options(_) = self {
            if let Self::Options(options) = std::mem::replace(self, Self::Empty) {
                *self = Self::Running(Box::pin(make(options)));
            }
        }
        match self {
            Self::Running(future) => future.as_mut().poll(cx),
            _ => panic!("polled again after a panic"),
        }
    }
}
