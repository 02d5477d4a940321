//! Waking many, with the lock of those who wait taken once for each batch.

use crate::{panics::FirstPanic, wait_list::Wakers};
use aioli_primitives::sync::{Mutex, MutexGuard};

/// Has `serve`, which is called with the lock held, take waiters off a list, and wakes them with the lock released; again, as
/// long as it fills the wakers.
///
/// Others may have the lock in between: `serve` has to tell those it is about from those who came since.
pub(crate) fn serve_in_batches<'a, S>(
    lock: &'a Mutex<S>,
    mut state: MutexGuard<'a, S>,
    panics: &mut FirstPanic,
    mut serve: impl FnMut(&mut S, &mut Wakers),
) {
    let mut wakers = Wakers::default();
    loop {
        serve(&mut state, &mut wakers);
        drop(state);
        let more = wakers.are_full();
        wakers.wake(panics);
        if !more {
            break;
        }
        state = lock.lock();
    }
}
