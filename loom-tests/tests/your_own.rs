//! How to check code of your own that is built on aioli's primitives: the example of the guide's chapter on it, with
//! nothing that a program which depends on `aioli` does not have.
#![cfg(loom)]

use aioli::{Event, Lock};
use loom::{future::block_on, sync::Arc, thread};

/// A value that tasks can change, and wait for until it is what they want.
struct Watched<T> {
    value: Lock<T>,
    changed: Event,
}

impl<T: Clone> Watched<T> {
    fn new(value: T) -> Self {
        Self {
            value: Lock::new(value),
            changed: Event::new(),
        }
    }

    async fn set(&self, value: T) {
        *self.value.lock().await = value;
        self.changed.pulse();
    }

    async fn wait_until(&self, wanted: impl Fn(&T) -> bool) -> T {
        loop {
            // Before the look: a change that comes after it is not missed.
            let change = self.changed.wait();
            let value = self.value.lock().await.clone();
            if wanted(&value) {
                return value;
            }
            change.await;
        }
    }
}

/// One thread changes the value twice, and another waits for the second change.
///
/// Fails when `change` is made after the look: a change may come between the two, and nobody is woken for it.
#[test]
fn nobody_waits_for_a_change_that_has_been() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let watched = Arc::new(Watched::new(0));
        let changer = {
            let watched = watched.clone();
            thread::spawn(move || {
                block_on(async {
                    watched.set(1).await;
                    watched.set(2).await;
                });
            })
        };
        assert_eq!(block_on(watched.wait_until(|value| *value == 2)), 2);
        changer.join().unwrap();
    });
}
