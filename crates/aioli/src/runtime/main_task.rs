//! The main task of a run, and how it is ended from outside: by [`EventLoop::stop`], or by Ctrl-C.
//!
//! A main future may borrow, so `run` cannot return before it is gone: to stop a run is to cancel its main task. The main task of
//! `run_forever` waits for just that.

use super::{event_loop::EventLoop, state::LoopState};
use crate::task::{TaskRef, current_task};
use aioli_primitives::sync::Mutex;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// The main task of the run in progress.
#[derive(Default)]
pub(super) struct MainTask(Mutex<Run>);

#[derive(Default)]
struct Run {
    /// From its first turn on.
    task: Option<TaskRef>,
    /// How many runs have begun.
    begun: u64,
    /// The last run that was ended, and why.
    ended: Option<(u64, &'static str)>,
}

impl Run {
    /// The one in progress or, if there is none, the next one.
    fn number(&self) -> u64 {
        match self.task {
            Some(_) => self.begun,
            None => self.begun + 1,
        }
    }
}

impl MainTask {
    /// The number of the run in progress or, if there is none, of the next one.
    fn number(&self) -> u64 {
        self.0.lock().number()
    }

    /// Ends the run in progress or, if there is none, the next one. Only the first time: the run may be cleaning up.
    pub(super) fn end(&self, reason: &'static str) {
        let number = self.number();
        self.end_run(number, reason);
    }

    /// Ends the run of that number, unless it is over, or has been ended.
    fn end_run(&self, number: u64, reason: &'static str) {
        let task = {
            let mut run = self.0.lock();
            if run.number() != number || run.ended.is_some_and(|(ended, _)| ended == number) {
                return;
            }
            run.ended = Some((number, reason));
            run.task.clone()
        };
        // Not under the lock: whom cancelling wakes may end it, too.
        if let Some(task) = task {
            task.cancel_with(reason);
        }
    }

    fn begins(&self) {
        let task = current_task();
        let ended = {
            let mut run = self.0.lock();
            run.begun += 1;
            run.task.clone_from(&task);
            let number = run.begun;
            run.ended.filter(|&(ended, _)| ended == number)
        };
        if let Some((task, (_, reason))) = task.zip(ended) {
            task.cancel_with(reason);
        }
    }

    /// The run is over.
    pub(super) fn is_over(&self) {
        let task = self.0.lock().task.take();
        // Not under the lock.
        drop(task);
    }
}

pin_project! {
    /// A main future that makes its task known.
    pub(super) struct Main<'a, F> {
        #[pin]
        future: F,
        state: &'a LoopState,
        begun: bool,
    }
}

impl<'a, F> Main<'a, F> {
    pub(super) fn new(future: F, state: &'a LoopState) -> Self {
        Self {
            future,
            state,
            begun: false,
        }
    }
}

impl<F: Future> Future for Main<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !std::mem::replace(this.begun, true) {
            this.state.main.begins();
        }
        this.future.poll(cx)
    }
}

impl EventLoop {
    /// Ends the run in progress, from anywhere, after what is ready now has had its turn: [`Runner::run_forever`](crate::Runner::run_forever)
    /// returns. If none is in progress, the next one ends so.
    ///
    /// Called again, it does nothing more: the run may be cleaning up. As `loop.stop()`. Where asyncio leaves the main task of a `run` behind, half done, and raises "Event loop stopped before
    /// Future completed", a main future of aioli's, which may borrow, is cancelled and cleans up, and
    /// [`try_run`](crate::Runner::try_run) says so.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut runner = aioli::Builder::new().workers(1).build()?;
    /// let event_loop = runner.event_loop();
    /// let stopper = event_loop.clone();
    /// event_loop.call_later(Duration::from_millis(5), move || stopper.stop());
    /// runner.run_forever();
    /// # Ok::<(), aioli::BuildError>(())
    /// ```
    pub fn stop(&self) {
        let state = self.1.clone();
        // Of this run: what is ready now may end it before, and the next one is another.
        let number = state.main.number();
        self.0
            .post(move || state.main.end_run(number, "the event loop was stopped"));
    }
}
