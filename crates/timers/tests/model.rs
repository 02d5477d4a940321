//! The wheel against a model: a sorted map that is searched from the front. Whatever is done to both, they give the
//! same.

use aioli_timers::{Key, Wheel};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use std::collections::BTreeMap;

const TICK: u64 = 1 << 16;

/// A time, as seen from the present.
#[derive(Clone, Copy, Debug)]
enum Time {
    /// That many nanoseconds from now, or as far as time goes.
    Ahead(u64),
    /// That many nanoseconds ago, or at the origin.
    Ago(u64),
    /// That many nanoseconds before the end of time.
    BeforeTheEnd(u64),
    /// At a deadline that was used before, if any.
    Again(usize),
    /// When the wheel says it has something to do, and this many nanoseconds less one.
    AboutNextExpiry(u64),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(Time),
    /// Any key that was ever given: of a timer that waits, fired, or was removed.
    Remove(usize),
    Advance(Time),
}

/// Numbers of all magnitudes.
fn magnitudes() -> impl Strategy<Value = u64> {
    (0..=64u32, any::<u64>()).prop_map(|(bits, random)| random.checked_shr(64 - bits).unwrap_or(0))
}

fn times() -> impl Strategy<Value = Time> {
    prop_oneof![
        4 => (0..30 * TICK).prop_map(Time::Ahead),
        6 => magnitudes().prop_map(Time::Ahead),
        2 => magnitudes().prop_map(Time::Ago),
        1 => (0..4 * TICK).prop_map(Time::BeforeTheEnd),
        4 => any::<usize>().prop_map(Time::Again),
        3 => (0..3u64).prop_map(Time::AboutNextExpiry),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => times().prop_map(Step::Insert),
        2 => any::<usize>().prop_map(Step::Remove),
        3 => times().prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 1..200)
}

/// The same timers twice. A timer's value is its number, in order of insertion.
#[derive(Default)]
struct Both {
    wheel: Wheel<usize>,
    /// By deadline, then number.
    model: BTreeMap<(u64, usize), Key>,
    given: Vec<(Key, u64)>,
    now: u64,
}

impl Both {
    fn resolve(&self, time: Time) -> u64 {
        match time {
            Time::Ahead(ns) => self.now.saturating_add(ns),
            Time::Ago(ns) => self.now.saturating_sub(ns),
            Time::BeforeTheEnd(ns) => u64::MAX - ns,
            Time::Again(any) => self
                .given
                .get(any % self.given.len().max(1))
                .map_or(0, |&(_, deadline)| deadline),
            Time::AboutNextExpiry(ns) => self
                .wheel
                .next_expiry()
                .unwrap_or(0)
                .saturating_add(ns)
                .saturating_sub(1),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Insert(time) => {
                let (deadline, number) = (self.resolve(time), self.given.len());
                let key = self.wheel.insert(deadline, number);
                assert!(
                    self.model.values().all(|&other| other != key),
                    "two timers with one key"
                );
                self.model.insert((deadline, number), key);
                self.given.push((key, deadline));
            }
            Step::Remove(_) if self.given.is_empty() => {}
            Step::Remove(any) => {
                let number = any % self.given.len();
                let (key, deadline) = self.given[number];
                let expected = self.model.remove(&(deadline, number)).map(|_| number);
                assert_eq!(self.wheel.get_mut(key).copied(), expected);
                assert_eq!(self.wheel.contains(key), expected.is_some());
                assert_eq!(self.wheel.remove(key), expected);
                assert!(!self.wheel.contains(key));
            }
            Step::Advance(time) => {
                let to = self.resolve(time);
                let expiry = self.wheel.next_expiry();
                self.now = self.now.max(to);
                let mut fired = Vec::new();
                self.wheel.advance(to, &mut fired);
                assert_eq!(fired, self.model_fires());
                if expiry.is_none_or(|expiry| self.now < expiry) {
                    assert_eq!(fired, [], "fired before the next expiry");
                    assert_eq!(
                        self.wheel.next_expiry(),
                        expiry,
                        "something happened before the next expiry"
                    );
                }
            }
        }
    }

    fn model_fires(&mut self) -> Vec<usize> {
        let reached = self.now / TICK;
        let mut fired = Vec::new();
        while let Some(first) = self
            .model
            .first_entry()
            .filter(|first| first.key().0.div_ceil(TICK) <= reached)
        {
            fired.push(first.remove_entry().0.1);
        }
        fired
    }

    /// What must hold after every step.
    fn check(&self) {
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
        let first = self
            .model
            .keys()
            .next()
            .and_then(|(deadline, _)| deadline.div_ceil(TICK).checked_mul(TICK));
        match (first, self.wheel.next_expiry()) {
            (None, expiry) => assert_eq!(expiry, None),
            (Some(first), None) => panic!("a timer is to fire at {first}, and the wheel does not expect any"),
            (Some(first), Some(expiry)) => {
                assert!(
                    expiry <= first,
                    "a timer is to fire at {first}, and the wheel would sleep until {expiry}"
                );
                assert!(
                    expiry > self.now || first <= self.now / TICK * TICK,
                    "there is something to do at {expiry}, which is over, and no timer is due"
                );
            }
        }
    }
}

/// Sleeping from one expiry to the next fires everything, each timer in its tick, with few steps on the way.
fn sleep_to_the_end(mut both: Both) {
    // At worst each timer alone is sorted down through all levels; a past deadline takes one more step.
    let mut steps = 8 * both.model.len() + 1;
    while let Some(expiry) = both.wheel.next_expiry() {
        steps = steps.checked_sub(1).expect("the wheel has something to do for ever");
        let before = both.now;
        both.step(Step::Advance(Time::AboutNextExpiry(1)));
        assert!(expiry == 0 || both.now == expiry && expiry > before);
        both.check();
    }
    assert!(
        both.model
            .keys()
            .all(|&(deadline, _)| deadline > u64::MAX / TICK * TICK)
    );
}

#[test]
fn wheel_does_what_a_sorted_map_does() {
    let config = ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(0x5EED),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&steps(), |steps| {
        let mut both = Both::default();
        for step in steps {
            both.step(step);
            both.check();
        }
        sleep_to_the_end(both);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
