//! Waiting for several tasks: values in order, the first error, and nothing left behind.

mod common;

use aioli::{create_task, defer, gather, sleep, yield_now};
use common::*;
use std::future::{Future, pending};

#[test]
fn values_come_in_the_order_of_the_items() {
    for workers in WORKERS {
        run(workers, async {
            let items = (0..20_u64).map(|number| async move {
                sleep(ms(20 - number) / 4).await;
                number
            });
            assert!(gather(items).await.unwrap().into_iter().eq(0..20));
        });
    }
}

#[test]
fn of_nothing_it_gives_nothing() {
    run(1, async {
        assert!(gather(Vec::<std::future::Ready<u8>>::new()).await.unwrap().is_empty())
    });
}

#[test]
fn items_run_at_the_same_time() {
    for workers in WORKERS {
        run(workers, async {
            // Each waits for all of them to have begun.
            let begun = Census::default();
            let items = (0..10).map(|_| {
                let begun = begun.clone();
                async move {
                    drop(begun.guard());
                    until(|| begun.made() == 10).await;
                }
            });
            assert_eq!(gather(items).await.unwrap().len(), 10);
        });
    }
}

#[test]
fn tasks_are_taken_as_they_are() {
    for workers in WORKERS {
        run(workers, async {
            let tasks: Vec<_> = (0..3).map(|number| create_task(async move { number })).collect();
            assert_eq!(gather(tasks).await.unwrap(), [0, 1, 2]);
        });
    }
}

#[test]
fn items_begin_without_being_awaited() {
    for workers in WORKERS {
        run(workers, async {
            let begun = Census::default();
            let theirs = begun.clone();
            let gathered = gather([async move { drop(theirs.guard()) }]);
            until(|| begun.made() == 1).await;
            gathered.await.unwrap();
        });
    }
}

fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> std::pin::Pin<Box<dyn Future<Output = T> + Send>> {
    Box::pin(future)
}

#[test]
fn an_error_cancels_the_items_behind_it() {
    for workers in WORKERS {
        let cleaned = Census::default();
        run(workers, async {
            let (begun, cleaned) = (Census::default(), cleaned.clone());
            let task = create_task(async move {
                let theirs = begun.clone();
                let items = [
                    boxed(async move {
                        until(|| theirs.made() == 1).await;
                        panic!("the first");
                    }),
                    boxed(async move {
                        let _cleanup = defer(async move {
                            yield_now().await;
                            drop(cleaned.guard());
                        });
                        drop(begun.guard());
                        pending().await
                    }),
                ];
                let gathered: Result<Vec<()>, _> = gather(items).await;
                assert_eq!(gathered.unwrap_err().to_string(), "the task panicked: the first");
            });
            // The task is over when what it left has cleaned up.
            task.await.unwrap();
        });
        assert_eq!(cleaned.gone(), 1);
    }
}

#[test]
fn an_item_that_was_cancelled_is_an_error() {
    for workers in WORKERS {
        run(workers, async {
            let tasks = [create_task(pending::<()>()), create_task(pending())];
            tasks[0].cancel();
            assert!(gather(tasks).await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn a_cancelled_gather_cancels_all_and_waits_for_them() {
    for workers in WORKERS {
        run(workers, async {
            let (begun, cleaned) = (Census::default(), Census::default());
            let task = create_task({
                let (begun, cleaned) = (begun.clone(), cleaned.clone());
                async move {
                    let items = (0..10).map(|_| {
                        let (begun, cleaned) = (begun.clone(), cleaned.clone());
                        async move {
                            let _cleanup = defer(async move {
                                yield_now().await;
                                drop(cleaned.guard());
                            });
                            drop(begun.guard());
                            pending::<()>().await;
                        }
                    });
                    gather(items).await
                }
            });
            until(|| begun.made() == 10).await;
            assert!(task.cancel());
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(cleaned.gone(), 10);
        });
    }
}
