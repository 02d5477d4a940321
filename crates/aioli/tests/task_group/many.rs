//! Many children: they come and go, are cancelled in order, and are created while their group fails.

use crate::{
    Boom, Typed,
    common::{Census, LONG, WORKERS, ms, on_all, until},
    fails, names,
};
use aioli::{Builder, TaskRef, create_task, finally, sleep, yield_now};
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

#[test]
fn ten_thousand_children_come_and_go() {
    on_all(async || {
        let done = Arc::new(AtomicUsize::new(0));
        let group = Typed::default();
        for n in 0..10_000 {
            let done = done.clone();
            group
                .create_task(async move {
                    sleep(ms(n % 7)).await;
                    done.fetch_add(1, SeqCst);
                })
                .unwrap();
        }
        group.join().await.unwrap();
        assert_eq!(done.load(SeqCst), 10_000);
    });
}

#[test]
fn ten_thousand_children_are_cancelled_in_the_order_in_which_they_came() {
    for workers in WORKERS {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(async {
            let group = Typed::default();
            for n in 0..10_000 {
                let order = order.clone();
                let child = async move {
                    // Every third one ends before.
                    if n % 3 > 0 {
                        let clean_up = async move { order.lock().unwrap().push(n) };
                        finally(sleep(LONG), clean_up).await;
                    }
                };
                group.create_task(child).unwrap();
            }
            group.create_task(fails(5, "first")).unwrap();
            assert_eq!(names(&group.join().await.unwrap_err()), [Boom("first")]);
        });
        let mut order = order.lock().unwrap().clone();
        if workers > 1 {
            // On several, the order is the scheduler's.
            order.sort_unstable();
        }
        let expected: Vec<_> = (0..10_000).filter(|n| n % 3 > 0).collect();
        assert!(order == expected, "each once, and on one worker in order");
    }
}

#[test]
fn children_are_created_on_many_workers_while_one_fails() {
    on_all(async || {
        let census = Census::default();
        let (refused, tasks) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Mutex::new(Vec::<TaskRef>::new())),
        );
        let group = Typed::default();
        for _ in 0..8 {
            let (handle, census, refused, tasks) = (group.handle(), census.clone(), refused.clone(), tasks.clone());
            // Not a child: nothing cancels it.
            let creator = create_task(async move {
                loop {
                    let guard = census.guard();
                    let child = async move {
                        let _guard = guard;
                        pending::<()>().await
                    };
                    match handle.create_task(child) {
                        Ok(task) => tasks.lock().unwrap().push(task.task_ref()),
                        Err(closed) => {
                            drop(closed.into_future());
                            refused.fetch_add(1, SeqCst);
                            return;
                        }
                    }
                    yield_now().await;
                }
            });
            creator.detach();
        }
        let made = census.clone();
        group
            .create_task(async move {
                until(|| made.made() > 100).await;
                Err::<(), _>(Boom("first"))
            })
            .unwrap();
        assert_eq!(names(&group.join().await.unwrap_err()), [Boom("first")]);
        until(|| refused.load(SeqCst) == 8).await;
        assert_eq!(census.gone(), census.made());
        assert!(tasks.lock().unwrap().iter().all(|task| task.is_cancelled()));
    });
}
