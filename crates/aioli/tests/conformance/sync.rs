//! Synchronisation.

use crate::harness::{conforms, say, secs};
use aioli::{Event, ReturnWhen, create_task, sleep, wait};
use std::sync::Arc;

/// Event: set() wakes all waiters in the order they waited; clear() does not undo a wake-up.
#[test]
fn event_wakes() {
    async fn waiter(name: &'static str, event: Arc<Event>) {
        say!("{name} waits");
        event.wait().await;
        // In asyncio `wait()` has `True` for a value, always; here it has none.
        say!("{name} woke true is_set {}", event.is_set());
    }

    async fn main() {
        let event = Arc::new(Event::new());
        let tasks = ["a", "b", "c"].map(|name| create_task(waiter(name, event.clone())));
        sleep(secs(0.01)).await;
        tasks[1].cancel();
        sleep(secs(0.01)).await;
        event.set();
        event.set();
        say!("set, is_set {}", event.is_set());
        event.clear();
        wait(&tasks, ReturnWhen::AllCompleted).await;
        say!("b cancelled {}", tasks[1].is_cancelled());

        let again = create_task(waiter("d", event.clone()));
        sleep(secs(0.01)).await;
        say!("d done {}", again.is_finished());
        event.set();
        again.await.unwrap();
        event.wait().await;
        say!("already set: returns at once");
    }

    conforms("event_wakes", main);
}
