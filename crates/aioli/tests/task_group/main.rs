//! `TaskGroup`: tasks that end together.

#[path = "../common/mod.rs"]
mod common;

mod cancelling;
mod ending;
mod failing;
mod many;
mod programs;

use aioli::{GroupError, TaskGroup, finally, sleep};
use common::{LONG, Log, ms};
use std::{error::Error, fmt};

/// A group whose errors can be compared.
type Typed = TaskGroup<Boom>;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Boom(&'static str);

impl fmt::Display for Boom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Boom {}

/// The errors of a group that failed.
fn names<E: Clone>(error: &GroupError<E>) -> Vec<E> {
    error.failures().cloned().collect()
}

async fn fails(after: u64, name: &'static str) -> Result<(), Boom> {
    sleep(ms(after)).await;
    Err(Boom(name))
}

/// Never ends by itself; cleaning up takes it so long.
async fn cleans_up(log: Log, name: &'static str, cleanup: u64) -> Result<(), Boom> {
    let clean_up = async move {
        sleep(ms(cleanup)).await;
        log.add(format!("{name} cleaned up"));
    };
    finally(sleep(LONG), clean_up).await;
    Ok(())
}

fn log_on_drop(log: Log, line: &'static str) -> impl Drop {
    struct OnDrop(Log, &'static str);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.add(self.1);
        }
    }
    OnDrop(log, line)
}
