//! What the wheel promises, one promise a test.

use aioli_timers::Wheel;

const TICK: u64 = 1 << 16;
/// When the last tick begins.
const LAST_TICK: u64 = u64::MAX / TICK * TICK;

fn advance<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
    let mut due = Vec::new();
    wheel.advance(now, &mut due);
    due
}

/// The times at which an owner that sleeps until `next_expiry` wakes up, and what fires then.
fn sleep_through<T>(wheel: &mut Wheel<T>) -> Vec<(u64, Vec<T>)> {
    std::iter::from_fn(|| {
        let expiry = wheel.next_expiry()?;
        Some((expiry, advance(wheel, expiry)))
    })
    .collect()
}

#[test]
fn a_new_wheel_has_nothing_to_do() {
    const EMPTY: Wheel<&str> = Wheel::new();
    let mut wheel = EMPTY;
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_expiry(), None);
    assert_eq!(advance(&mut wheel, u64::MAX), [""; 0]);
}

#[test]
fn a_timer_never_fires_early() {
    for exponent in 0..64 {
        for deadline in [(1 << exponent) - 1, 1 << exponent, (1 << exponent) + 1] {
            let fires = u64::div_ceil(deadline, TICK) * TICK;
            let mut wheel = Wheel::new();
            wheel.insert(deadline, deadline);
            if fires > 0 {
                assert_eq!(advance(&mut wheel, fires - 1), [], "deadline {deadline}");
            }
            assert_eq!(advance(&mut wheel, fires), [deadline]);
        }
    }
}

#[test]
fn a_timer_fires_within_a_tick_of_its_deadline() {
    for deadline in [
        1,
        TICK - 1,
        TICK,
        TICK + 1,
        1_000_000,
        1_000_000_000,
        86_400_000_000_000,
    ] {
        let mut wheel = Wheel::new();
        wheel.insert(deadline, ());
        let (at, _) = sleep_through(&mut wheel).pop().unwrap();
        assert!(
            (deadline..deadline + TICK).contains(&at),
            "deadline {deadline} fired at {at}"
        );
    }
}

#[test]
fn a_lone_timer_needs_one_wake_up_however_far_it_is() {
    for level in 0..8 {
        let deadline = (TICK << (6 * level)) * 5 + 123_456_789;
        let mut wheel = Wheel::new();
        wheel.insert(deadline, "alone");
        assert_eq!(
            sleep_through(&mut wheel),
            [(deadline.div_ceil(TICK) * TICK, vec!["alone"])]
        );
    }
}

#[test]
fn timers_cascade_through_every_level_and_fire_in_their_own_ticks() {
    // The same on all digits but the last: the two go down together from the highest level to the lowest, which parts
    // them.
    let tick = (0..8).fold(0, |tick, level| tick | 3 << (6 * level));
    let mut wheel = Wheel::new();
    wheel.insert((tick + 1) * TICK, "second");
    wheel.insert(tick * TICK, "first");

    let slept = sleep_through(&mut wheel);
    let fired: Vec<_> = slept.iter().filter(|(_, fired)| !fired.is_empty()).cloned().collect();
    assert_eq!(
        fired,
        [(tick * TICK, vec!["first"]), ((tick + 1) * TICK, vec!["second"])]
    );
    assert_eq!(slept.len() - fired.len(), 7, "one stop at each level above the last");
}

#[test]
fn a_timer_is_found_and_removed_on_every_level_also_after_it_cascaded() {
    for level in 0..8 {
        let span = TICK << (6 * level);
        for now in [0, span, 3 * span - 1, 3 * span] {
            let mut wheel = Wheel::new();
            let key = wheel.insert(3 * span + 2 * TICK, "wanted");
            let other = wheel.insert(3 * span + 2 * TICK, "other");
            assert_eq!(advance(&mut wheel, now), [""; 0]);
            assert!(wheel.contains(key));
            assert_eq!(wheel.get_mut(key), Some(&mut "wanted"));
            assert_eq!(wheel.remove(key), Some("wanted"));
            assert_eq!(wheel.remove(other), Some("other"));
            assert_eq!((wheel.next_expiry(), wheel.len()), (None, 0));
        }
    }
}

#[test]
fn a_far_deadline_fires_in_the_last_tick_and_the_end_of_time_never() {
    let mut wheel = Wheel::new();
    wheel.insert(LAST_TICK, "far");
    let never = wheel.insert(u64::MAX, "never");
    wheel.insert(LAST_TICK + 1, "hardly");
    assert_eq!(wheel.next_expiry(), Some(LAST_TICK));
    assert_eq!(advance(&mut wheel, LAST_TICK - 1), [""; 0]);
    assert_eq!(advance(&mut wheel, u64::MAX), ["far"]);
    assert_eq!(wheel.next_expiry(), None);

    assert_eq!(wheel.len(), 2);
    assert_eq!(wheel.remove(never), Some("never"));
}

#[test]
fn equal_deadlines_fire_first_in_first_out_wherever_they_were_inserted_from() {
    let deadline = 5 * (TICK << 12) + 7 * (TICK << 6) + 9 * TICK;
    let mut wheel = Wheel::new();
    let mut inserted = 0..;
    for now in [
        0,
        3 * (TICK << 12),
        5 * (TICK << 12),
        5 * (TICK << 12) + 7 * (TICK << 6),
        deadline - TICK,
    ] {
        assert_eq!(advance(&mut wheel, now), []);
        for number in (&mut inserted).take(20) {
            wheel.insert(deadline, number);
        }
    }
    assert_eq!(advance(&mut wheel, deadline), (0..100).collect::<Vec<i32>>());
}

#[test]
fn deadlines_within_one_tick_fire_in_their_order() {
    let mut wheel = Wheel::new();
    for offset in [500, 3, 40, 3, 65_000, 1] {
        wheel.insert(10 * TICK + offset, offset);
    }
    assert_eq!(advance(&mut wheel, 11 * TICK), [1, 3, 3, 40, 500, 65_000]);
}

#[test]
fn a_giant_jump_fires_everything_in_order_of_deadline() {
    let deadlines: Vec<u64> = (0..48).rev().map(|bit| (TICK << bit) - 1).collect();
    let mut wheel = Wheel::new();
    for &deadline in &deadlines {
        wheel.insert(deadline, deadline);
    }
    let mut sorted = deadlines;
    sorted.sort_unstable();
    assert_eq!(advance(&mut wheel, u64::MAX), sorted);
    assert!(wheel.is_empty());
}

#[test]
fn a_jump_into_the_middle_of_a_slot_leaves_what_is_not_due() {
    let span = TICK << 18;
    let mut wheel = Wheel::new();
    for eighth in 0..16 {
        wheel.insert(span + eighth * span / 8, eighth);
    }
    assert_eq!(advance(&mut wheel, span + span / 2), [0, 1, 2, 3, 4]);
    assert_eq!(advance(&mut wheel, 2 * span), [5, 6, 7, 8]);
    assert_eq!(advance(&mut wheel, 4 * span), [9, 10, 11, 12, 13, 14, 15]);
}

#[test]
fn a_past_deadline_fires_at_the_next_advance_even_if_time_stands_still() {
    let now = 1_000 * TICK;
    let mut wheel = Wheel::new();
    assert_eq!(advance(&mut wheel, now), [""; 0]);
    wheel.insert(now, "now");
    wheel.insert(0, "long ago");
    wheel.insert(now - 1, "just before");
    assert_eq!(wheel.next_expiry(), Some(0));
    assert_eq!(advance(&mut wheel, now), ["long ago", "just before", "now"]);
    assert_eq!(wheel.next_expiry(), None);
}

#[test]
fn a_past_deadline_can_be_removed() {
    let mut wheel = Wheel::new();
    assert_eq!(advance(&mut wheel, 5 * TICK), [""; 0]);
    let key = wheel.insert(TICK, "past");
    assert_eq!(wheel.remove(key), Some("past"));
    assert_eq!(wheel.next_expiry(), None);
    assert_eq!(advance(&mut wheel, 6 * TICK), [""; 0]);
}

#[test]
fn time_does_not_go_back() {
    let mut wheel = Wheel::new();
    wheel.insert(100 * TICK, "later");
    assert_eq!(advance(&mut wheel, 50 * TICK), [""; 0]);
    assert_eq!(advance(&mut wheel, 10 * TICK), [""; 0]);
    wheel.insert(20 * TICK, "past");
    assert_eq!(advance(&mut wheel, 0), ["past"]);
    assert_eq!(advance(&mut wheel, 100 * TICK), ["later"]);
}

#[test]
fn a_stale_key_does_not_fit_the_timer_that_took_its_place() {
    let mut wheel = Wheel::new();
    let removed = wheel.insert(TICK, "removed");
    wheel.remove(removed);
    let fired = wheel.insert(TICK, "fired");
    assert_eq!(advance(&mut wheel, TICK), ["fired"]);
    let present = wheel.insert(2 * TICK, "present");
    for stale in [removed, fired] {
        assert!(!wheel.contains(stale));
        assert_eq!(wheel.get_mut(stale), None);
        assert_eq!(wheel.remove(stale), None);
    }
    assert_eq!(wheel.remove(present), Some("present"));
}

#[test]
fn the_value_of_a_waiting_timer_can_be_changed() {
    let mut wheel = Wheel::new();
    let key = wheel.insert(TICK, "before");
    *wheel.get_mut(key).unwrap() = "after";
    assert_eq!(advance(&mut wheel, TICK), ["after"]);
}

#[test]
fn removing_the_earliest_timer_moves_the_next_expiry_on() {
    let mut wheel = Wheel::new();
    let early = wheel.insert(3 * TICK, ());
    wheel.insert(7 * TICK, ());
    assert_eq!(wheel.next_expiry(), Some(3 * TICK));
    wheel.remove(early);
    assert_eq!(wheel.next_expiry(), Some(7 * TICK));
}

#[test]
fn advance_appends_to_what_is_there() {
    let mut wheel = Wheel::new();
    wheel.insert(0, "second");
    let mut due = vec!["first"];
    wheel.advance(0, &mut due);
    assert_eq!(due, ["first", "second"]);
}
