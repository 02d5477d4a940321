//! The loop: how it is configured ([`Builder`]), run ([`Runner`], [`run`]), found ([`EventLoop`]) and ended, what it calls soon
//! and later, what time it is there, and the driver that joins reactor and timers into what the executor sleeps on.

mod builder;
mod call_later;
mod callbacks;
pub(crate) mod clock;
#[cfg(unix)]
mod ctrl_c;
pub(crate) mod driver;
mod event_loop;
mod main_task;
mod repeated;
mod runner;
mod signal_handlers;
mod state;
mod watch;

pub use builder::{BuildError, Builder};
pub use call_later::TimerHandle;
pub use callbacks::Handle;
pub use event_loop::{EventLoop, ExceptionHandler};
pub use runner::{Runner, run};
