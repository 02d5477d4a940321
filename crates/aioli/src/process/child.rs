//! A child process, from its start until its exit was noticed.
//!
//! # One reaper
//!
//! A child is waited for by whoever watches it, its loop or the [orphans' thread](super::orphans), and by nobody else: so it is
//! waited for once, as soon as it exits, whether anybody is interested or not, and leaves no zombie. Who has noticed an exit
//! [announces](Child::announce_exit) it to those who are interested, holding no lock.
//!
//! # Signals and process ids
//!
//! A process id means this child until the child has been waited for, and may mean any process afterwards. So both happen under the
//! lock, waiting and sending a signal: then the id is as good as a pidfd. Where there is one the signal goes to that nevertheless, for
//! the case that other code in this process has waited for the child.
//!
//! Waiting is always by the id. That works everywhere, while a pidfd that can be opened cannot be waited for on Linux 5.3, or in
//! a sandbox.

use super::{errors::ProcessLookupError, pidfd::PidFd};
use aioli_primitives::sync::{Mutex, MutexGuard};
use aioli_reactor::{Direction, Reactor, Source};
use aioli_sync::Event;
use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, test_kill_process,
        test_kill_process_group, waitpid,
    },
};
use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    task::{Context, Poll, ready},
};

pub(crate) struct Child {
    pid: Pid,
    state: Mutex<State>,
    exited: Event,
}

enum State {
    Running(Watch),
    /// `None`: somebody else has waited for it.
    Exited(Option<ExitStatus>),
}

/// Who tells that a child has exited.
enum Watch {
    Pidfd(Source<PidFd>),
    /// Nobody does: it has to be [looked](Child::look) at after each `SIGCHLD`.
    Sigchld,
}

impl Child {
    /// One that was just started, and that nobody watches.
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            state: Mutex::new(State::Running(Watch::Sigchld)),
            exited: Event::new(),
        }
    }

    /// Has `reactor` watch it, from the next [`poll_exit`](Self::poll_exit) on.
    pub(super) fn watch(&self, pidfd: PidFd, reactor: &Reactor) -> io::Result<()> {
        let source = reactor.register(pidfd)?;
        *self.state.lock() = State::Running(Watch::Pidfd(source));
        Ok(())
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The process id as a number.
    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.lock(), State::Running(_))
    }

    /// Whether it is running and there is no pidfd.
    pub(super) fn needs_sigchld(&self) -> bool {
        matches!(*self.state.lock(), State::Running(Watch::Sigchld))
    }

    /// Ready when the exit was noticed, and is to be announced. Otherwise, if there is a pidfd, the waker is woken when there is something
    /// to notice. It is one of ours, and may be cloned under a lock.
    pub(super) fn poll_exit(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.state.lock();
        let State::Running(Watch::Pidfd(source)) = &*state else {
            drop(state);
            return if self.look() { Poll::Ready(()) } else { Poll::Pending };
        };
        let status = ready!(source.poll_io(cx, Direction::Read, || reap(self.pid).ok_or(Errno::WOULDBLOCK.into())));
        exited(state, status.ok().flatten());
        Poll::Ready(())
    }

    /// Asks the kernel whether it has exited; then that is to be announced.
    pub(super) fn look(&self) -> bool {
        let state = self.state.lock();
        if let State::Exited(_) = *state {
            return true;
        }
        match reap(self.pid) {
            Some(status) => {
                exited(state, status);
                true
            }
            None => false,
        }
    }

    /// Wakes all who wait for it. Whose wakers panic, they do so here, when all have been woken.
    pub(super) fn announce_exit(&self) {
        self.exited.set();
    }

    /// Kills it, and blocks until it is gone: for one whose start has failed half-way.
    pub(super) fn end(&self) {
        // It may have exited, and then its id may be another's.
        if self.look() {
            return;
        }
        let state = self.state.lock();
        if let State::Running(_) = *state {
            let _ = kill_process(self.pid, Signal::KILL);
            let status = loop {
                if let Some(status) = reaped(waitpid(Some(self.pid), WaitOptions::empty())) {
                    break status;
                }
            };
            exited(state, status);
        }
    }

    /// Has another reactor watch it. If that refuses, the child has to be looked at.
    pub(super) fn move_to(&self, reactor: &Reactor) {
        let mut state = self.state.lock();
        if let State::Running(watch @ Watch::Pidfd(_)) = &mut *state {
            if let Watch::Pidfd(source) = std::mem::replace(watch, Watch::Sigchld) {
                if let Ok(source) = reactor.register(source.into_inner()) {
                    *watch = Watch::Pidfd(source);
                }
            }
        }
    }

    /// Sends a signal to it, and to no other process; or none, to find out whether that could be done.
    pub(super) fn send(&self, signal: Option<Signal>) -> io::Result<()> {
        let by_id = || match signal {
            Some(signal) => kill_process(self.pid, signal),
            None => test_kill_process(self.pid),
        };
        let sent = match (&*self.state.lock(), signal) {
            (State::Running(Watch::Pidfd(source)), Some(signal)) => match source.get_ref().send(signal) {
                // A sandbox may know nothing of pidfds. If it is not permitted either way, it is not.
                Err(Errno::NOSYS | Errno::PERM) => by_id(),
                sent => sent,
            },
            (State::Running(_), _) => by_id(),
            (State::Exited(_), _) => Err(Errno::SRCH),
        };
        sent.map_err(|error| match error {
            Errno::SRCH => ProcessLookupError { id: self.id() }.into(),
            other => other.into(),
        })
    }

    /// As `send`, to the process group that it leads.
    pub(super) fn send_to_group(&self, signal: Option<Signal>) -> io::Result<()> {
        let state = self.state.lock();
        if let State::Exited(_) = *state {
            return Err(ProcessLookupError { id: self.id() }.into());
        }
        let sent = match signal {
            Some(signal) => kill_process_group(self.pid, signal),
            None => test_kill_process_group(self.pid),
        };
        sent.map_err(|error| match error {
            // It would be in the group itself, until it was waited for.
            Errno::SRCH => io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "process {} leads no process group: start the command with `process_group(0)`",
                    self.id()
                ),
            ),
            other => other.into(),
        })
    }

    /// How it exited, if that was noticed; an error if somebody else has waited for it.
    pub(super) fn status(&self) -> Option<io::Result<ExitStatus>> {
        match *self.state.lock() {
            State::Running(_) => None,
            State::Exited(status) => Some(status.ok_or_else(|| {
                io::Error::other(format!(
                    "nobody knows how process {} exited: this process ignores SIGCHLD, or waits for its children elsewhere, too",
                    self.id()
                ))
            })),
        }
    }

    /// Waits for its exit to be noticed.
    pub(super) async fn wait(&self) -> io::Result<ExitStatus> {
        self.exited.wait().await;
        self.status().expect("an exit is noted before it is announced")
    }
}

/// Notes an exit.
fn exited(mut state: MutexGuard<'_, State>, status: Option<ExitStatus>) {
    let watch = std::mem::replace(&mut *state, State::Exited(status));
    drop(state);
    // The pidfd is closed, and the waker dropped, which is ours.
    drop(watch);
}

/// Waits for a child, if it has exited. `None`: it has not.
fn reap(pid: Pid) -> Option<Option<ExitStatus>> {
    reaped(waitpid(Some(pid), WaitOptions::NOHANG))
}

/// What waiting for a child has shown: that it has not exited, or else how it has.
fn reaped(waited: rustix::io::Result<Option<(Pid, WaitStatus)>>) -> Option<Option<ExitStatus>> {
    match waited {
        Ok(Some((_, status))) => Some(Some(ExitStatus::from_raw(status.as_raw()))),
        // Somebody else has waited for it.
        Err(Errno::CHILD) => Some(None),
        // The call was interrupted; there is no other error.
        Ok(None) | Err(_) => None,
    }
}
