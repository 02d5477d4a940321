//! Errors in a group that do something when they are asked for their source, or when they are dropped.

mod common;

use aioli::{BoxError, Event, GroupClosed, GroupError, GroupHandle, TaskGroup, create_task, yield_now};
use common::{WORKERS, run};
use std::{
    error::Error,
    fmt,
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

/// Calls a function when it is asked for its source.
struct Meddler(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddler")
    }
}

impl fmt::Display for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("meddler")
    }
}

impl Error for Meddler {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0();
        None
    }
}

/// An error that ends its group when it is asked for its source.
fn canceller(group: &GroupHandle, asked: &Arc<AtomicUsize>) -> BoxError {
    let (group, asked) = (group.clone(), asked.clone());
    Box::new(Meddler(Box::new(move || {
        group.cancel();
        asked.fetch_add(1, SeqCst);
    })))
}

/// An error that panics when it is asked for its source.
fn panicker() -> BoxError {
    Box::new(Meddler(Box::new(|| panic!("no source"))))
}

/// On each number of workers, on a thread of its own: a lock that is taken twice, or a child that never leaves, is waited for for
/// ever.
fn in_time<F: Future<Output = ()>>(program: impl Fn() -> F + Send + 'static) {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        for workers in WORKERS {
            run(workers, program());
        }
        sender.send(()).unwrap();
    });
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Err(RecvTimeoutError::Timeout) => panic!("a group does not end"),
        _ => thread.join().unwrap(),
    }
}

fn messages(error: &GroupError) -> Vec<String> {
    error.failures().map(ToString::to_string).collect()
}

#[test]
fn a_childs_error_whose_source_ends_the_group() {
    in_time(|| async {
        let asked = Arc::default();
        let error = TaskGroup::scope(async |group| {
            let (handle, asked) = (group.clone(), Arc::clone(&asked));
            group.create_task(async move { Err::<(), _>(canceller(&handle, &asked)) })?;
            group.create_task(pending::<()>())?;
            pending::<Result<(), _>>().await
        });
        assert_eq!(messages(&error.await.unwrap_err()), ["meddler"]);
        assert!(asked.load(SeqCst) > 0);
    });
}

#[test]
fn a_bodys_error_whose_source_ends_the_group() {
    in_time(|| async {
        let asked = Arc::default();
        let error = TaskGroup::scope(async |group| {
            group.create_task(pending::<()>())?;
            Err::<(), _>(canceller(&group, &asked))
        });
        assert_eq!(messages(&error.await.unwrap_err()), ["meddler"]);
        assert!(asked.load(SeqCst) > 0);
    });
}

#[test]
fn an_error_whose_source_panics_ends_the_group() {
    in_time(|| async {
        let error = TaskGroup::scope(async |group| {
            group.create_task(async { Err::<(), _>(panicker()) })?;
            group.create_task(pending::<()>())?;
            pending::<Result<(), _>>().await
        });
        assert_eq!(messages(&error.await.unwrap_err()), ["meddler"]);

        let error = TaskGroup::scope(async |group| {
            group.create_task(pending::<()>())?;
            Err::<(), _>(panicker())
        });
        assert_eq!(messages(&error.await.unwrap_err()), ["meddler"]);
    });
}

#[test]
fn an_error_whose_source_panics_counts_in_a_group_that_is_ending() {
    in_time(|| async {
        let group = TaskGroup::new();
        let handle = group.handle();
        let child = async move {
            handle.cancel();
            Err::<(), _>(panicker())
        };
        group.create_task(child).unwrap();
        assert_eq!(messages(&group.join().await.unwrap_err()), ["meddler"]);
    });
}

/// Uses its group when it is dropped.
struct Leaver(GroupHandle, Arc<AtomicBool>);

impl Drop for Leaver {
    fn drop(&mut self) {
        self.0.cancel();
        self.1.store(true, SeqCst);
    }
}

#[test]
fn a_future_that_a_group_did_not_take_uses_the_group_when_it_is_dropped() {
    in_time(|| async {
        let group = TaskGroup::new();
        let (handle, is_dropped) = (group.handle(), Arc::new(AtomicBool::new(false)));
        let leaver = Leaver(handle.clone(), is_dropped.clone());
        let child = async move {
            handle.cancel();
            let too_late = async move {
                let _leaver = leaver;
                pending::<()>().await;
            };
            let closed: GroupClosed<_> = handle.create_task(too_late).unwrap_err();
            Err::<(), BoxError>(Box::new(closed))
        };
        group.create_task(child).unwrap();
        // That the group takes no more is no news.
        group.join().await.unwrap();
        assert!(is_dropped.load(SeqCst));
    });
}

/// Panics when it is dropped.
struct Bomb(Arc<AtomicBool>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
        panic!("boom");
    }
}

#[test]
fn an_echo_whose_destructor_panics_keeps_nobody_waiting() {
    in_time(|| async {
        let (group, go, has_fired) = (TaskGroup::new(), Arc::new(Event::new()), Arc::default());
        let (handle, bomb) = (group.handle(), Bomb(Arc::clone(&has_fired)));
        let child = {
            let go = Arc::clone(&go);
            async move {
                go.wait().await;
                handle.cancel();
                let too_late = async move {
                    let _bomb = bomb;
                    pending::<()>().await;
                };
                Err::<(), BoxError>(Box::new(handle.create_task(too_late).unwrap_err()))
            }
        };
        let child = group.create_task(child).unwrap();
        let joins = create_task(group.join());
        for _ in 0..10 {
            yield_now().await;
        }
        // The group waits by now, and is to be woken all the same.
        go.set();
        joins.await.unwrap().unwrap();
        assert!(has_fired.load(SeqCst));
        assert_eq!(child.await.unwrap_err().to_string(), "the task panicked: boom");
    });
}
