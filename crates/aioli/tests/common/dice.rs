//! What the stress tests share: dice, and the environment variables that say for how long they are thrown, and from which
//! seed on.
//!
//! * `AIOLI_CHAOS_SECONDS` says for how long rounds are begun.
//! * `AIOLI_CHAOS_SEED` repeats the choices of a first round (its interleaving is the scheduler's); without it the seed is
//!   the time, and is printed.

use std::{
    env,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Marsaglia's xorshift: small, and the same everywhere. (The executor's stress test throws the same; tests of two crates share
/// no code.)
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// Less than so many microseconds.
    pub fn micros(&mut self, limit: u64) -> Duration {
        Duration::from_micros(self.below(limit))
    }

    pub fn child(&mut self) -> Self {
        Dice::new(self.next())
    }
}

/// Begins rounds, each with a seed, for as long as the environment says, or `seconds`; one at least. Gives how many there were.
pub fn rounds(name: &str, seconds: u64, mut round: impl FnMut(u64)) -> u64 {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seconds = number("AIOLI_CHAOS_SECONDS").unwrap_or(seconds);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("AIOLI_CHAOS_SEED").unwrap_or(now);
    println!("{name}: seed {seed}");
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < end {
        round(seed.wrapping_add(rounds));
        rounds += 1;
    }
    rounds
}
