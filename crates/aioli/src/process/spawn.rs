//! Starting a command: the streams, the process, and who watches it.
//!
//! Nothing can be undone once there is a child. So what may fail is done before as far as possible, and a child that cannot be
//! watched after all, for want of descriptors, is killed and waited for, here and now.

use super::{Children, Command, Process, Stdio, child::Child, orphans, pidfd, stdio::Kind};
use crate::{
    StreamReader, StreamWriter,
    pipe::{PipeReader, PipeWriter},
    runtime::driver::with_driver,
};
use aioli_reactor::Reactor;
use rustix::{
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::Pid,
};
use std::{io, os::fd::OwnedFd, process, sync::Arc};

impl Command {
    pub(super) fn start(&mut self) -> io::Result<Process> {
        // First of all, since it panics where there is no loop.
        let (reactor, children) = with_driver(|driver, _| (driver.reactor.clone(), driver.state().children.clone()));
        let started = self.set_streams().and_then(|merged| Ok((self.std.spawn()?, merged)));
        self.unset_streams();
        let (mut std, merged) = started?;

        let child = Arc::new(Child::new(Pid::from_child(&std)));
        self.connect(&mut std, merged)
            .and_then(|(stdin, outputs)| {
                watch(&child, &reactor, &children)?;
                Ok(Process::new(child.clone(), self.kill_on_drop, stdin, outputs))
            })
            .inspect_err(|_| child.end())
    }

    /// Tells the standard library what the streams are. If the standard error is to go where the standard output goes, and that is a pipe,
    /// it is one of ours, and this gives the end to read from.
    fn set_streams(&mut self) -> io::Result<Option<OwnedFd>> {
        if let Some(stdin) = &self.stdin {
            self.std.stdin(stdin.to_std()?);
        }
        if !matches!(self.stderr, Some(Stdio(Kind::Stdout))) {
            if let Some(stdout) = &self.stdout {
                self.std.stdout(stdout.to_std()?);
            }
            if let Some(stderr) = &self.stderr {
                self.std.stderr(stderr.to_std()?);
            }
            return Ok(None);
        }
        match &self.stdout {
            Some(Stdio(Kind::Pipe)) => {
                let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
                self.std.stderr(theirs.try_clone()?).stdout(theirs);
                Ok(Some(ours))
            }
            None if self.is_from_std => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the standard error cannot go where a `std::process::Command` was told that the standard output goes: set \
                 `stdout` on the `aioli::process::Command`, too",
            )),
            None | Some(Stdio(Kind::Inherit)) => {
                self.std.stdout(process::Stdio::inherit()).stderr(io::stdout());
                Ok(None)
            }
            Some(stdout) => {
                self.std.stdout(stdout.to_std()?).stderr(stdout.to_std()?);
                Ok(None)
            }
        }
    }

    /// Closes the child's ends, which the standard library keeps for the next start: nobody would read their end while they are open.
    /// What was not set here is left alone.
    fn unset_streams(&mut self) {
        if self.stdin.is_some() {
            self.std.stdin(process::Stdio::inherit());
        }
        if self.stdout.is_some() {
            self.std.stdout(process::Stdio::inherit());
        }
        if self.stderr.is_some() {
            self.std.stderr(process::Stdio::inherit());
        }
    }

    /// Our ends of the pipes, as streams.
    fn connect(
        &self,
        std: &mut process::Child,
        merged: Option<OwnedFd>,
    ) -> io::Result<(Option<StreamWriter>, [Option<StreamReader>; 2])> {
        let reader = |pipe| io::Result::Ok(StreamReader::over(PipeReader::from_blocking_pipe(pipe)?, self.limit));
        let writer = |pipe| io::Result::Ok(StreamWriter::over(PipeWriter::from_blocking_pipe(pipe)?));
        let stdin = std.stdin.take().map(OwnedFd::from);
        let stdout = std.stdout.take().map(OwnedFd::from).or(merged);
        let stderr = std.stderr.take().map(OwnedFd::from);
        Ok((
            stdin.map(writer).transpose()?,
            [stdout.map(reader).transpose()?, stderr.map(reader).transpose()?],
        ))
    }
}

/// Has the loop watch a child that was just started, or, where there is no pidfd, the orphans' thread.
fn watch(child: &Arc<Child>, reactor: &Reactor, children: &Arc<Children>) -> io::Result<()> {
    match pidfd::open(child.pid()) {
        Ok(Some(pidfd)) => {
            child.watch(pidfd, reactor)?;
            children.add(child.clone());
            Ok(())
        }
        Ok(None) => orphans::adopt(vec![child.clone()]),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => {
            // The system has waited for it already, as it does where `SIGCHLD` is ignored. To look is to find that out.
            child.look();
            child.announce_exit();
            Ok(())
        }
        Err(error) => Err(error),
    }
}
