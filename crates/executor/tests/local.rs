//! Tasks that stay on their thread, and values that are not `Send`.

mod common;

use aioli_executor::{spawn, spawn_local, worker_index};
use common::*;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    thread,
};

#[test]
fn a_local_task_need_not_be_send_and_nor_need_its_value() {
    for workers in WORKERS {
        run(workers, async {
            let counter = Rc::new(Cell::new(0));
            let theirs = counter.clone();
            let value = spawn_local(async move {
                theirs.set(1);
                yield_now().await;
                theirs
            })
            .await
            .unwrap();
            assert!(Rc::ptr_eq(&counter, &value));
            assert_eq!(counter.get(), 1);
        });
    }
}

#[test]
fn a_local_task_woken_by_foreign_threads_stays_on_its_own() {
    for workers in WORKERS {
        run(workers, async {
            let ask = Mailbox::<Signal>::new();
            let answer = ask.clone();
            let waker = thread::spawn(move || answer.serve(|signal| signal.set()));
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let (ask, home) = (ask.clone(), thread::current().id());
                    spawn_local(async move {
                        for _ in 0..100 {
                            let signal = Signal::new();
                            ask.send(signal.clone());
                            signal.wait().await;
                            assert_eq!(thread::current().id(), home);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            ask.close();
            waker.join().unwrap();
        });
    }
}

#[test]
fn a_local_task_woken_by_other_workers_stays_on_its_own() {
    for workers in WORKERS {
        run(workers, async {
            let home = thread::current().id();
            for _ in 0..100 {
                let signal = Signal::new();
                let theirs = signal.clone();
                let local = spawn_local(async move {
                    signal.wait().await;
                    thread::current().id()
                });
                spawn(async move {
                    yield_now().await;
                    theirs.set();
                })
                .detach();
                assert_eq!(local.await.unwrap(), home);
            }
        });
    }
}

#[test]
fn tasks_of_any_worker_have_local_tasks() {
    for workers in WORKERS {
        run(workers, async {
            let tasks: Vec<_> = (0..20)
                .map(|_| {
                    spawn(async {
                        // A handle to a local value is not `Send`, so it does not cross an await here.
                        let (done, here) = (Signal::new(), worker_index());
                        let theirs = done.clone();
                        spawn_local(async move {
                            let state = Rc::new(RefCell::new(0));
                            for _ in 0..10 {
                                *state.borrow_mut() += 1;
                                yield_now().await;
                                assert_eq!(worker_index(), here);
                            }
                            theirs.set();
                        })
                        .detach();
                        done.wait().await;
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn what_is_not_send_is_dropped_on_its_thread_at_the_end() {
    struct Homesick(thread::ThreadId, Signal);
    impl Drop for Homesick {
        fn drop(&mut self) {
            assert_eq!(thread::current().id(), self.0);
            self.1.set();
        }
    }

    for workers in WORKERS {
        let dropped = Signal::new();
        run(workers, async {
            let (started, theirs) = (Signal::new(), dropped.clone());
            let ready = started.clone();
            spawn(async move {
                spawn_local(async move {
                    let _value = (Homesick(thread::current().id(), theirs), Rc::new(()));
                    ready.set();
                    std::future::pending::<()>().await;
                })
                .detach();
            })
            .detach();
            started.wait().await;
        });
        assert!(dropped.is_set());
    }
}
