//! The loop: how it is configured ([`Builder`]), run ([`Runner`], [`run`]) and found ([`EventLoop`]), and the driver
//! that joins reactor and timers into what the executor sleeps on.

mod builder;
pub(crate) mod clock;
pub(crate) mod driver;
mod event_loop;
mod runner;
mod state;

pub use builder::{BuildError, Builder};
pub use event_loop::EventLoop;
pub use runner::{Runner, run};
