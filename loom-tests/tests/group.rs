//! `aioli_executor::roster`: what the members of a task group and its owner share.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

use aioli_executor::roster::{Member, Over, Roster, Seat};
use loom::{
    sync::{Arc, Condvar, Mutex},
    thread,
};
use std::{
    sync::Arc as StdArc,
    task::{Context, Poll, Wake, Waker},
};

/// Wakes a thread of the model.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: StdArc<Self>) {
        self.0.unpark();
    }
}

/// Runs a model with at most three preemptions, which is where all the mutations named below were found.
fn bounded_model(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A task, as far as a group knows it.
#[derive(Clone)]
struct Name(Arc<(Mutex<Task>, Condvar)>);

#[derive(Default)]
struct Task {
    cancelled: usize,
    over: bool,
}

impl Member for Name {
    fn is_over(&self) -> bool {
        self.0.0.lock().unwrap().over
    }
}

impl Name {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(Task::default()), Condvar::new())))
    }

    fn change(&self, f: impl FnOnce(&mut Task)) {
        f(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn wait(&self, until: impl Fn(&Task) -> bool) {
        let mut task = self.0.0.lock().unwrap();
        while !until(&task) {
            task = self.0.1.wait(task).unwrap();
        }
    }

    fn cancel(self) {
        self.change(|task| task.cancelled += 1);
    }

    fn cancelled(&self) -> usize {
        self.0.0.lock().unwrap().cancelled
    }
}

/// What goes wrong.
#[derive(PartialEq, Eq, Debug)]
struct Boom;

type Group = Arc<Roster<Name, Boom>>;

/// A member whose task exists.
fn member(group: &Group) -> (Seat, Name) {
    let (seat, name) = (group.enter().unwrap(), Name::new());
    assert!(group.sit(seat, name.clone()));
    (seat, name)
}

/// What a worker does with a member whose future has just ended: the task is over only after that.
fn end(group: &Group, seat: Seat, name: &Name, error: Option<Boom>) {
    group.leave(seat, error).each(Name::cancel);
    name.change(|task| task.over = true);
}

/// The owner waits, with no body any more.
fn wait_for_all(group: &Group) -> Vec<Boom> {
    let waker = Waker::from(StdArc::new(Unpark(thread::current())));
    loop {
        match group.poll_over(&mut Context::from_waker(&waker)) {
            Poll::Ready(Over::With(errors)) => return errors,
            Poll::Ready(Over::But(name)) => name.wait(|task| task.over),
            Poll::Pending => thread::park(),
        }
    }
}

/// Two children end, one of them with an error, while the parent falls asleep or is about to. It wakes up, finds the
/// error, and finds both tasks over, not only their futures gone. The other child is cancelled once, or has left.
///
/// Fails when the parent's waker is left in a later critical section than the one that finds somebody seated, when the last
/// one to leave does not wake it (both: it sleeps for ever), when a member that leaves is forgotten and not made a straggler (a
/// task is not over), and when a seat is given whatever the phase is (one is given in a closed group).
#[test]
fn group_last_child_x_parent() {
    bounded_model(|| {
        let group = Group::new(Roster::new(|_| false));
        let members = [member(&group), member(&group)];
        let names = members.clone().map(|(_, name)| name);
        let [(first, first_name), (second, second_name)] = members;
        let fails = {
            let group = group.clone();
            thread::spawn(move || end(&group, first, &first_name, Some(Boom)))
        };
        let ends = {
            let group = group.clone();
            thread::spawn(move || end(&group, second, &second_name, None))
        };
        assert_eq!(wait_for_all(&group), [Boom]);
        assert!(names.iter().all(Name::is_over));
        fails.join().unwrap();
        ends.join().unwrap();
        assert_eq!(names[0].cancelled(), 0);
        assert!(names[1].cancelled() <= 1);
        assert!(group.enter().is_none());
    });
}

/// A child is created while another one fails. It is refused, or cancelled once, by whoever sees that it has to be.
///
/// Fails when a child that sits down does not look whether the names were given out (it is never cancelled).
#[test]
fn create_x_fail() {
    bounded_model(|| {
        let group = Group::new(Roster::new(|_| false));
        let (seat, name) = member(&group);
        let fails = {
            let group = group.clone();
            thread::spawn(move || end(&group, seat, &name, Some(Boom)))
        };
        let creator = {
            let group = group.clone();
            thread::spawn(move || create(&group))
        };
        assert_eq!(wait_for_all(&group), [Boom]);
        fails.join().unwrap();
        creator.join().unwrap();
    });
}

/// Creates a child, and is the child as well, which waits to be cancelled.
fn create(group: &Group) {
    let Some(seat) = group.enter() else { return };
    let name = Name::new();
    if !group.sit(seat, name.clone()) {
        name.clone().cancel();
    }
    name.wait(|task| task.cancelled > 0);
    end(group, seat, &name, None);
    assert_eq!(name.cancelled(), 1);
}

/// A child is created while another one fails, and the parent runs a body, so that it is for the parent to cancel both.
///
/// Fails when the parent falls asleep without looking whether the group is ending, when who ends the group does not wake
/// it (both: it sleeps for ever), and when a child that sits down looks at the phase in place of whether the names were
/// given out (it is cancelled twice).
#[test]
fn create_x_fail_x_body() {
    bounded_model(|| {
        let group = Group::new(Roster::new(|_| false));
        group.begin_body();
        let (seat, name) = member(&group);
        let fails = {
            let group = group.clone();
            thread::spawn(move || end(&group, seat, &name, Some(Boom)))
        };
        let creator = {
            let group = group.clone();
            thread::spawn(move || create(&group))
        };
        let waker = Waker::from(StdArc::new(Unpark(thread::current())));
        // The body goes on until it is cancelled.
        loop {
            if let Some(doomed) = group.take_doomed() {
                doomed.into_iter().for_each(Name::cancel);
                break;
            }
            if group.register(&mut Context::from_waker(&waker)) {
                thread::park();
            }
        }
        group.end_body().each(Name::cancel);
        assert_eq!(wait_for_all(&group), [Boom]);
        fails.join().unwrap();
        creator.join().unwrap();
    });
}

/// The body ends while a child fails: either of the two cancels the other child, and not both.
///
/// Fails when the end of the body does not give the names out (the child is never cancelled), and when it gives them out whether
/// or not they were before (it is cancelled twice).
#[test]
fn body_ends_x_fail() {
    bounded_model(|| {
        let group = Group::new(Roster::new(|_| false));
        group.begin_body();
        let (seat, name) = member(&group);
        let (patient, patient_name) = member(&group);
        let fails = {
            let group = group.clone();
            thread::spawn(move || end(&group, seat, &name, Some(Boom)))
        };
        let waits = {
            let (group, name) = (group.clone(), patient_name.clone());
            thread::spawn(move || {
                name.wait(|task| task.cancelled > 0);
                end(&group, patient, &name, None);
            })
        };
        if let Some(doomed) = group.take_doomed() {
            doomed.into_iter().for_each(Name::cancel);
        }
        group.end_body().each(Name::cancel);
        assert_eq!(wait_for_all(&group), [Boom]);
        fails.join().unwrap();
        waits.join().unwrap();
        assert_eq!(patient_name.cancelled(), 1);
    });
}

/// A child ends before the one who creates it has put its name down.
///
/// Fails when a seat whose member has left is taken as if it had not (the parent waits for ever), when it is given up at once
/// (the parent does not wait for the task), and when the one who puts the name down does not wake the parent.
#[test]
fn create_x_last_child_x_parent() {
    bounded_model(|| {
        let group = Group::new(Roster::new(|_| false));
        let (seat, name) = (group.enter().unwrap(), Name::new());
        let creator = {
            let (group, name) = (group.clone(), name.clone());
            thread::spawn(move || assert!(group.sit(seat, name)))
        };
        let child = {
            let (group, name) = (group.clone(), name.clone());
            thread::spawn(move || end(&group, seat, &name, None))
        };
        assert_eq!(wait_for_all(&group), []);
        assert!(name.is_over());
        creator.join().unwrap();
        child.join().unwrap();
    });
}
