//! What no queue can be asked for.

use crate::common::{counts, message, poll, poll_with, waiting};
use aioli_sync::{LifoQueue, PriorityQueue, PutNowaitError, Queue, QueueShutDown};
use std::{
    cmp::Ordering,
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

#[test]
fn a_bound_of_zero_is_refused_with_advice() {
    let made = [
        catch_unwind(|| drop(Queue::<u8>::bounded(0))),
        catch_unwind(|| drop(LifoQueue::<u8>::bounded(0))),
        catch_unwind(|| drop(PriorityQueue::<u8>::bounded(0))),
    ];
    for made in made {
        let message = message(made.unwrap_err());
        assert!(message.contains("one without a bound is made by `new`"), "{message}");
    }
}

#[test]
fn a_bound_that_was_negative_is_refused_with_advice() {
    for bound in [-1_isize as usize, (1 << 30) + 1] {
        let message = message(catch_unwind(|| drop(Queue::<u8>::bounded(bound))).unwrap_err());
        assert!(
            message.contains(&format!("at most 1073741824 items, and not {bound}")),
            "{message}"
        );
    }
    assert_eq!(Queue::<u8>::bounded(1 << 29).maxsize(), Some(1 << 29));
}

#[test]
fn errors_say_what_is_wrong_whatever_the_items_are() {
    struct Opaque;
    let errors: [Box<dyn Error>; 4] = [
        Box::new(QueueShutDown(Opaque)),
        Box::new(PutNowaitError::QueueFull(Opaque)),
        Box::new(PutNowaitError::QueueShutDown(Opaque)),
        Box::new(Queue::<Opaque>::new().get_nowait().err().unwrap()),
    ];
    let said = errors.map(|error| (error.to_string(), format!("{error:?}")));
    let expected = [
        ("the queue is shut down", "QueueShutDown"),
        ("the queue is full", "QueueFull"),
        ("the queue is shut down", "QueueShutDown"),
        ("the queue is empty", "QueueEmpty"),
    ];
    assert!(said.iter().map(|(display, debug)| (&**display, &**debug)).eq(expected));
}

/// Cannot be compared with its like after a while.
#[derive(PartialEq, Eq, Debug)]
struct Moody(u32);

impl Ord for Moody {
    fn cmp(&self, other: &Self) -> Ordering {
        assert!(self.0 != 13 && other.0 != 13, "thirteen");
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Moody {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[test]
fn a_panic_of_ord_leaves_the_queue_in_order() {
    let queue = PriorityQueue::new();
    for n in [5, 4, 6] {
        queue.put_nowait(Moody(n)).unwrap();
    }
    let put = catch_unwind(AssertUnwindSafe(|| queue.put_nowait(Moody(13))));
    assert_eq!(message(put.unwrap_err()), "thirteen");
    // It was put; who gets runs into it, or gets it.
    let mut got = 0;
    while !queue.is_empty() {
        got += usize::from(matches!(
            catch_unwind(AssertUnwindSafe(|| queue.get_nowait())),
            Ok(Ok(_))
        ));
    }
    assert!((1..=4).contains(&got));
    queue.put_nowait(Moody(1)).unwrap();
    assert_eq!(queue.get_nowait(), Ok(Moody(1)));
}

#[test]
fn a_panic_of_ord_lets_nobody_wait_for_ever() {
    let queue = PriorityQueue::bounded(2);
    let mut getters = [waiting(queue.get()), waiting(queue.get())];
    queue.put_nowait(Moody(1)).unwrap();
    let (woken, count) = (counted(), counted());
    assert!(poll_with(getters[1].as_mut(), &counts(&woken)).is_none());
    catch_unwind(AssertUnwindSafe(|| queue.put_nowait(Moody(13)))).unwrap_err();
    assert_eq!(woken.load(SeqCst), 1, "the second getter was promised what was put");
    let mut putter = Box::pin(queue.put(Moody(2)));
    assert!(poll_with(putter.as_mut(), &counts(&count)).is_none());
    let got = getters
        .iter_mut()
        .filter_map(|getter| catch_unwind(AssertUnwindSafe(|| poll(getter.as_mut()))).ok())
        .count();
    assert_eq!(got, 2);
    assert_eq!(
        count.load(SeqCst),
        1,
        "the putter was promised the room of what was got"
    );
    assert_eq!(poll(putter.as_mut()), Some(Ok(())));
}

fn counted() -> Arc<AtomicUsize> {
    Arc::default()
}

#[test]
fn a_queue_is_shut_down_and_dropped_without_comparing_items() {
    let queue = PriorityQueue::bounded(3);
    for n in 1..=2 {
        queue.put_nowait(Moody(n)).unwrap();
    }
    catch_unwind(AssertUnwindSafe(|| queue.put_nowait(Moody(13)))).unwrap_err();
    let kept = queue.clone();
    let mut putter = waiting(queue.put(Moody(3)));
    queue.shutdown(true);
    assert_eq!(poll(putter.as_mut()), Some(Err(QueueShutDown(Moody(3)))));
    assert_eq!(kept.len(), 0);

    let queue = PriorityQueue::new();
    queue.put_nowait(Moody(1)).unwrap();
    catch_unwind(AssertUnwindSafe(|| queue.put_nowait(Moody(13)))).unwrap_err();
    drop(queue);
}
