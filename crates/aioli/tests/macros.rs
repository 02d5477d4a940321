//! The attributes, used as programs use them.

use aioli::{EventLoop, create_task, sleep, yield_now};
use std::{num::ParseIntError, rc::Rc, thread, time::Duration};

#[path = "common/terminal.rs"]
mod terminal;

mod program {
    #[aioli::main(workers = 2)]
    pub(super) async fn main() -> usize {
        aioli::yield_now().await;
        aioli::EventLoop::current().workers()
    }

    #[aioli::main]
    pub(super) async fn fallible() -> Result<u32, std::num::ParseIntError> {
        let number: u32 = "42".parse()?;
        if number == 42 {
            return Ok(aioli::create_task(async move { number }).await.unwrap());
        }
        unreachable!("it has returned")
    }

    #[aioli::main(workers = 1)]
    pub(super) async fn nothing() {}

    #[cfg(unix)]
    #[aioli::main(workers = 1, cancel_on_ctrl_c = true)]
    pub(super) async fn interrupted() -> bool {
        let wait = aioli::catch_cancelled(std::future::pending::<()>());
        aioli::EventLoop::current().call_soon(|| {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT).unwrap();
        });
        let Err(cancelled) = wait.await else { return false };
        let interrupted = cancelled.reason() == Some("interrupted by Ctrl-C");
        cancelled.swallow();
        interrupted
    }
}

#[test]
fn a_main_function_runs_on_a_loop_and_gives_its_value() {
    assert_eq!(program::main(), 2);
    assert_eq!(program::fallible(), Ok(42));
    program::nothing();
    assert!(EventLoop::try_current().is_none());
}

#[cfg(unix)]
#[test]
fn a_main_function_may_catch_the_first_ctrl_c() {
    terminal::heed_the_terminal();
    assert!(program::interrupted());
}

#[aioli::test]
async fn a_test_has_one_worker_by_default() {
    assert_eq!(EventLoop::current().workers(), 1);
    let local = Rc::new(1);
    yield_now().await;
    assert_eq!(*local, 1);
}

#[aioli::test(workers = 3)]
async fn a_test_has_as_many_workers_as_it_says() {
    assert_eq!(EventLoop::current().workers(), 3);
    let here = thread::current().id();
    yield_now().await;
    assert_eq!(thread::current().id(), here);
}

#[aioli::test(virtual_time = true)]
async fn a_test_may_have_a_clock_of_its_own() {
    let (start, year) = (EventLoop::current().time(), Duration::from_secs(365 * 24 * 3600));
    sleep(year).await;
    assert_eq!(EventLoop::current().time() - start, year);
}

#[aioli::test]
async fn a_test_may_give_a_result() -> Result<(), ParseIntError> {
    let task = create_task(async { "7".parse::<u8>() });
    assert_eq!(task.await.unwrap()?, 7);
    Ok(())
}

#[aioli::test]
#[should_panic(expected = "on purpose")]
async fn a_panic_fails_the_test() {
    yield_now().await;
    panic!("on purpose");
}

#[aioli::test]
#[should_panic(expected = "in another task")]
async fn a_panic_of_an_awaited_task_is_passed_on() {
    create_task(async { panic!("in another task") }).await.unwrap();
}
