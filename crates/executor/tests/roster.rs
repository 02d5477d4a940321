//! The roster of a group, without a group: what it keeps of members that have left, and when it calls anybody's code.

use aioli_executor::roster::{Member, Over, Roster};
use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, Weak, mpsc::channel},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

/// A task: all that have one of its names keep it.
#[derive(Clone)]
struct Name {
    is_over: Rc<Cell<bool>>,
    kept: Rc<()>,
}

impl Member for Name {
    fn is_over(&self) -> bool {
        self.is_over.get()
    }
}

/// Members come and go, one after the other, and those of which `is_long` is true have deferred work that takes long. How many
/// are still kept, and when the long ones are over, too, how many the owner has to wait for.
fn kept_after(count: usize, is_long: impl Fn(usize) -> bool) -> (usize, usize) {
    let roster = Roster::<Name, ()>::new(|()| false);
    let (kept, long) = (Rc::new(()), Rc::new(Cell::new(false)));
    for number in 0..count {
        let name = Name {
            is_over: if is_long(number) { long.clone() } else { Rc::default() },
            kept: kept.clone(),
        };
        let seat = roster.enter().unwrap();
        assert!(roster.sit(seat, name.clone()));
        roster.leave(seat, None).each(|_| unreachable!());
        // Only now, as with a task.
        if !is_long(number) {
            name.is_over.set(true);
        }
    }
    let still_kept = Rc::strong_count(&kept) - 1;
    long.set(true);
    let mut stragglers = 0;
    loop {
        match roster.poll_over(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Over::But(straggler)) => {
                assert!(Rc::ptr_eq(&straggler.kept, &kept));
                stragglers += 1;
            }
            Poll::Ready(Over::With(errors)) => break assert!(errors.is_empty()),
            Poll::Pending => panic!("nobody is seated"),
        }
    }
    assert_eq!(Rc::strong_count(&kept), 1);
    (still_kept, stragglers)
}

#[test]
fn members_that_are_over_are_let_go_of() {
    assert_eq!(kept_after(10_000, |_| false), (1, 1));
}

#[test]
fn a_member_with_long_deferred_work_keeps_no_other() {
    let (kept, stragglers) = kept_after(10_000, |number| number == 0);
    assert_eq!(kept, stragglers);
    assert!(kept <= 4, "{kept} are kept");
}

#[test]
fn many_members_with_long_deferred_work_keep_no_others() {
    // A hundred, among the others.
    let (kept, stragglers) = kept_after(10_000, |number| number % 20 == 0 && number < 2_000);
    assert_eq!(kept, stragglers);
    assert!((100..=202).contains(&kept), "{kept} are kept");
}

/// A member of a group of which nobody asks whether it is over.
#[derive(Clone)]
struct Nobody;

impl Member for Nobody {
    fn is_over(&self) -> bool {
        true
    }
}

/// Uses its group when it is looked at, and when it is dropped.
struct Meddler {
    group: Weak<Roster<Nobody, Meddler>>,
    is_echo: bool,
}

impl Meddler {
    fn meddle(&self) {
        if let Some(group) = self.group.upgrade() {
            group.end().each(drop);
            assert!(group.enter().is_none());
        }
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

/// On a thread of its own: a lock that is taken twice is waited for for ever.
fn in_time(program: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        program();
        sender.send(()).unwrap();
    });
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("an error is looked at, or dropped, under the lock"),
        _ => thread.join().unwrap(),
    }
}

#[test]
fn errors_may_use_the_group_and_echoes_do_not_count() {
    in_time(|| {
        let group = Arc::new(Roster::new(|error: &Meddler| {
            error.meddle();
            error.is_echo
        }));
        let error = |is_echo| Meddler {
            group: Arc::downgrade(&group),
            is_echo,
        };
        let seats = [(); 3].map(|()| group.enter().unwrap());
        for seat in seats {
            assert!(group.sit(seat, Nobody));
        }
        group.leave(seats[0], Some(error(false))).each(drop);
        group.leave(seats[1], Some(error(true))).each(drop);
        group.leave(seats[2], Some(error(false))).each(drop);
        group.fail(error(true)).each(drop);
        let errors = loop {
            match group.poll_over(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Over::But(Nobody)) => {}
                Poll::Ready(Over::With(errors)) => break errors,
                Poll::Pending => panic!("nobody is seated"),
            }
        };
        assert_eq!(
            errors.iter().map(|error| error.is_echo).collect::<Vec<_>>(),
            [false, false]
        );
    });
}

#[test]
fn an_echo_counts_in_a_group_that_goes_on() {
    let group = Roster::<Nobody, &str>::new(|_| true);
    group.fail("first").each(drop);
    group.fail("second").each(drop);
    let Poll::Ready(Over::With(errors)) = group.poll_over(&mut Context::from_waker(Waker::noop())) else {
        panic!("nobody was in it");
    };
    assert_eq!(errors, ["first"]);
}
