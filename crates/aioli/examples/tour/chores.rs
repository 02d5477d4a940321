//! Timers, an interval, and something to compute.

use crate::{screen::Progress, since};
use aioli::{interval, sleep_until};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often the clock ticks.
pub const TICK: Duration = Duration::from_millis(20);

/// Over which time the timers are spread.
const SPREAD_MICROS: u64 = 1_200_000;

/// Sleeps until some moment, and gives how late that was noticed.
pub async fn timer(number: usize, progress: Arc<Progress>) -> Duration {
    // A stride that has no common divisor with the spread visits all of it, in no obvious order.
    let after = number as u64 * 999_983 % SPREAD_MICROS;
    let deadline = Instant::now() + Duration::from_micros(after);
    sleep_until(deadline).await;
    let now = Instant::now();
    assert!(now >= deadline, "a timer was early");
    progress.slept();
    now - deadline
}

/// Shows the progress at every tick until everything is done; gives how late the ticks were.
pub async fn tick(progress: Arc<Progress>) -> Vec<Duration> {
    let mut lateness = Vec::new();
    let mut clock = interval(TICK);
    while !progress.is_finished() {
        let meant = clock.tick().await;
        lateness.push(since(meant));
        progress.show(lateness.len());
    }
    progress.clear();
    lateness
}

/// The result of a computation, and how long it took.
pub struct Primes {
    pub count: usize,
    pub elapsed: Duration,
}

/// Takes its time, and gives way to nobody: on a thread for blocking calls that is nobody's loss.
pub fn count_primes(below: usize) -> Primes {
    let start = Instant::now();
    let mut is_prime = vec![true; below];
    is_prime[..2].fill(false);
    let mut number = 2;
    while number * number < below {
        if is_prime[number] {
            is_prime[number * number..]
                .iter_mut()
                .step_by(number)
                .for_each(|prime| *prime = false);
        }
        number += 1;
    }
    Primes {
        count: is_prime.into_iter().filter(|prime| *prime).count(),
        elapsed: since(start),
    }
}
