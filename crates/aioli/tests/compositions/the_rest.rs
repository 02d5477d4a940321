//! Recursion, generic functions, guards, promises, ticks.

use crate::{LONG, WORKERS, boxed, common::run, forever, ms, spawns, typed};
use aioli::{
    BoxError, Promise, TaskError, TimeoutError, catch_cancelled, closing, create_local_task, create_task, defer,
    gather, interval, race, sleep, timeout, try_gather, wait_for,
};
use std::{
    error::Error,
    future::{Future, IntoFuture, pending, ready},
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
};

#[test]
fn recursion_through_boxes() {
    fn fibonacci(n: u32) -> Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>> {
        Box::pin(async move {
            if n < 2 {
                return Ok(n);
            }
            let (a, b) = timeout(LONG, try_gather((fibonacci(n - 1), fibonacci(n - 2)))).await??;
            Ok(a + b)
        })
    }
    spawns(|| async { assert_eq!(catch_cancelled(fibonacci(7)).await.unwrap().unwrap(), 13) });
}

#[test]
fn generic_functions_over_combinators() {
    async fn retry<F, T, E>(mut attempt: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        loop {
            match timeout(LONG, attempt()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => return Err(error),
                Err(TimeoutError) => sleep(ms(1)).await,
            }
        }
    }
    async fn all<F, T, E>(work: Vec<F>) -> Result<Vec<T>, TaskError<E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        try_gather(work).await
    }
    spawns(|| async {
        assert_eq!(retry(|| boxed(1)).await.unwrap(), 1);
        assert_eq!(retry(|| try_gather([typed(1)])).await.unwrap(), [1]);
        assert_eq!(all(vec![boxed(1)]).await.unwrap(), [1]);
        assert_eq!(all(vec![all(vec![typed(1)])]).await.unwrap(), [[1]]);
    });
}

#[test]
fn guards_over_awaits_of_combinators() {
    spawns(|| async {
        let _guard = defer(async {
            race((sleep(ms(1)), pending())).await;
        });
        let connection = closing(String::from("open"), |name| async move {
            let closed = timeout(LONG, try_gather((boxed(name.len() as u32), boxed(1)))).await;
            assert_eq!(closed.unwrap().unwrap(), (4, 1));
        });
        assert_eq!(try_gather([boxed(1)]).await.unwrap(), [1]);
        connection.close().await;
    });
}

#[test]
fn promises_and_ticks() {
    spawns(|| async {
        let promise = Promise::new();
        let giver = promise.clone();
        let (read, ()) = gather((
            promise.clone().into_future(),
            async move { giver.set_result(7).unwrap() },
        ))
        .await
        .unwrap();
        assert_eq!(read.unwrap(), 7);
        assert_eq!(race((promise, pending())).await.unwrap(), 7);
        let mut ticks = interval(ms(1));
        wait_for(ticks.tick(), LONG).await.unwrap();
        race((ticks.tick(), pending())).await;
    });
}

#[test]
fn promises_of_trait_objects() {
    type Shared = Arc<dyn Error + Send + Sync>;
    async fn waits(promise: Promise<Result<u32, Shared>>) -> Result<u32, BoxError> {
        let value = race((timeout(LONG, promise.clone()), async { Err(TimeoutError) })).await??;
        timeout(LONG, promise.finished()).await?;
        let taken = catch_cancelled(timeout(LONG, promise.take())).await.unwrap()??;
        assert_eq!(value.is_ok(), taken.is_ok());
        Ok(value?)
    }
    spawns(|| async {
        let promise = Promise::new();
        let waiter = create_task(waits(promise.clone()));
        promise.set_result(Err(Shared::from(BoxError::from("broken")))).unwrap();
        assert_eq!(
            timeout(LONG, waiter).await.unwrap().unwrap().unwrap_err().to_string(),
            "broken"
        );
    });
}

#[test]
fn errors_of_io_with_the_question_mark() {
    async fn read() -> io::Result<u32> {
        let value = wait_for(ready(io::Result::Ok(1)), LONG).await??;
        let late = timeout(ms(1), forever()).await;
        late.map_err(io::Error::from).or(Ok(value))
    }
    spawns(|| async { assert_eq!(try_gather((read(), read())).await.unwrap(), (1, 1)) });
}

#[test]
fn combinators_that_are_kept_and_awaited_later() {
    spawns(|| async {
        let kept = try_gather((boxed(1), typed_as_boxed(2)));
        let mut limited: Vec<_> = (1..4).map(|n| timeout(LONG, try_gather([boxed(n)]))).collect();
        sleep(ms(5)).await;
        assert_eq!(kept.await.unwrap(), (1, 2));
        let last = limited.pop().unwrap();
        let all = gather(limited).await.unwrap();
        assert_eq!(all.len() + last.await.unwrap().unwrap().len(), 3);
    });
    async fn typed_as_boxed(n: u32) -> Result<u32, BoxError> {
        Ok(typed(n).await?)
    }
}

#[test]
fn resources_that_are_trait_objects() {
    trait Connection: Send {
        fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
    }
    struct Local;
    impl Connection for Local {
        fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> {
            Box::pin(async { boxed(1).await.map(drop) })
        }
    }
    spawns(|| async {
        let open = || {
            let connection: Box<dyn Connection> = Box::new(Local);
            closing(connection, |connection| async { connection.close().await.unwrap() })
        };
        let _left_open = open();
        let connection = open();
        assert_eq!(timeout(LONG, try_gather([boxed(1)])).await.unwrap().unwrap(), [1]);
        timeout(LONG, connection.close()).await.unwrap();
        defer(async move { open().close().await }).disarm().await;
    });
}

#[test]
fn what_is_not_send_in_tasks_of_one_thread() {
    async fn local(n: u32) -> Result<Rc<u32>, Box<dyn Error>> {
        sleep(ms(1)).await;
        if n == 0 { Err("nothing".into()) } else { Ok(Rc::new(n)) }
    }
    for workers in WORKERS {
        run(workers, async {
            let program = create_local_task(async {
                let both = try_gather((create_local_task(local(1)), create_local_task(local(2))));
                let (a, b) = timeout(LONG, catch_cancelled(both)).await.unwrap().unwrap().unwrap();
                let c = race((local(3), async { pending().await })).await.unwrap();
                let failed = gather([create_local_task(local(0))]).await.unwrap();
                assert_eq!(failed[0].as_ref().unwrap_err().to_string(), "nothing");
                Rc::new(*a + *b + *c)
            });
            assert_eq!(*program.await.unwrap(), 6);
        });
    }
}
