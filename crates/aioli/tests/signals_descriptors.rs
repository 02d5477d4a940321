//! Listeners and handlers of signals give their descriptors back. Alone in its process, whose descriptors it counts.

use aioli::{
    Builder, EventLoop,
    signal::{SignalKind, signal},
};
use std::{
    fs,
    time::{Duration, Instant},
};

const KIND: SignalKind = SignalKind::user_defined1();

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until there are as many as that: a handler that another worker is just about to call is gone when it has been called.
async fn settle_at(expected: usize) {
    let limit = Instant::now() + Duration::from_secs(20);
    while descriptors() != expected {
        assert!(Instant::now() < limit, "{} descriptors, not {expected}", descriptors());
        aioli::yield_now().await;
    }
}

#[test]
#[cfg(target_os = "linux")]
fn listeners_and_handlers_give_their_descriptors_back() {
    let at_first = descriptors();
    for workers in [1, 2] {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let event_loop = runner.event_loop();
        runner.run(async {
            let before = descriptors();
            for _ in 0..10 {
                let listener = signal(KIND).unwrap();
                event_loop.add_signal_handler(KIND, || ()).unwrap();
                event_loop.add_signal_handler(KIND, || ()).unwrap();
                settle_at(before + 4).await;
                drop(listener);
                assert!(event_loop.remove_signal_handler(KIND));
                settle_at(before).await;
            }
            assert!(signal(SignalKind::from_raw(libc::SIGKILL)).is_err());
            assert!(event_loop.add_signal_handler(SignalKind::from_raw(0), || ()).is_err());
            assert_eq!(descriptors(), before);
            // One that removes itself while it is called.
            event_loop
                .add_signal_handler(KIND, || {
                    EventLoop::current().remove_signal_handler(KIND);
                })
                .unwrap();
            // SAFETY: it has no preconditions.
            unsafe { libc::raise(KIND.as_raw()) };
            settle_at(before).await;
        });
        // A listener that outlives its loop, and a handler that the loop's end removes.
        let listener = runner.run(async { signal(KIND).unwrap() });
        event_loop.add_signal_handler(KIND, || ()).unwrap();
        drop((runner, event_loop));
        drop(listener);
        assert_eq!(descriptors(), at_first);
    }
}
