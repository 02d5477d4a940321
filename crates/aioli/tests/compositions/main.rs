//! Combinators within combinators, as programs have them: each composition is spawned, and so has to be `Send`, whatever is inside.
//!
//! What a compiler can see of a future inside another one is less than it sees of the future alone: it has forgotten lifetimes. So that
//! a combinator works is not to say that it works in a task; hence so many of them here.

mod borrows;
mod boxed_errors;
mod catchers;
#[path = "../common/mod.rs"]
mod common;
mod groups;
mod streams;
mod the_rest;

use aioli::{BoxError, create_task, sleep};
use common::{LONG, WORKERS, ms};
use std::{
    fmt::{self, Display},
    future::{Future, pending},
    pin::Pin,
};

/// Spawns a program on each number of workers, with a clock that stands still while anything is left to do.
fn spawns<F>(program: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for workers in WORKERS {
        let mut runner = aioli::Builder::new()
            .workers(workers)
            .virtual_time(true)
            .build()
            .unwrap();
        runner.run(async { create_task(program()).await }).unwrap();
    }
}

/// An error of a program's own.
#[derive(Debug, PartialEq)]
struct Refused(u32);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl std::error::Error for Refused {}

async fn boxed(n: u32) -> Result<u32, BoxError> {
    sleep(ms(1)).await;
    if n == 0 { Err(Refused(n).into()) } else { Ok(n) }
}

async fn typed(n: u32) -> Result<u32, Refused> {
    sleep(ms(1)).await;
    if n == 0 { Err(Refused(n)) } else { Ok(n) }
}

async fn plain(n: u32) -> u32 {
    sleep(ms(n.into())).await;
    n
}

async fn forever() -> u32 {
    pending().await
}

/// A trait object, as `#[async_trait]` makes them.
fn object(n: u32) -> Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>> {
    Box::pin(boxed(n))
}
