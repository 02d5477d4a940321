//! A child as its parent sees it.

use super::{ExitStatus, child::Child};
use crate::{StreamReader, StreamWriter};
use futures_lite::future::try_zip;
use rustix::process::Signal;
use std::{fmt, future::Future, io, os::unix::process::ExitStatusExt, sync::Arc};

/// What `returncode` gives where nobody knows it, as in asyncio.
const UNKNOWN: i32 = 255;

/// A child process. As asyncio's `Process`. Made by [`Command::spawn`](super::Command::spawn).
///
/// The streams that are pipes are fields; take them out to use them in several tasks. Dropping the `Process` closes those that are still
/// there, and leaves the child running, unless [`kill_on_drop`](super::Command::kill_on_drop) was asked for.
///
/// ```
/// use aioli::process::{Stdio, create_subprocess_shell};
///
/// # aioli::run(async {
/// let mut child = create_subprocess_shell("read name; echo hello $name")
///     .stdin(Stdio::PIPE)
///     .stdout(Stdio::PIPE)
///     .await?;
/// let (stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
/// stdin.write(b"world\n");
/// stdin.drain().await?;
/// assert_eq!(stdout.readline().await?, b"hello world\n");
/// assert!(child.wait().await?.success());
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub struct Process {
    /// Goes to the child's standard input, if that is a [pipe](super::Stdio::PIPE).
    pub stdin: Option<StreamWriter>,
    /// Comes from the child's standard output, if that is a [pipe](super::Stdio::PIPE).
    pub stdout: Option<StreamReader>,
    /// Comes from the child's standard error, if that is a [pipe](super::Stdio::PIPE).
    pub stderr: Option<StreamReader>,
    collected: Collected,
    child: Handle,
}

/// What [`Process::communicate`] has read to the end, and not given to anybody.
#[derive(Default)]
struct Collected {
    stdout: Option<Vec<u8>>,
    stderr: Option<Vec<u8>>,
}

/// What a child has written, and how it exited. Given by [`Process::communicate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it exited.
    pub status: ExitStatus,
    /// What it wrote to its standard output; `None` if that was no pipe.
    pub stdout: Option<Vec<u8>>,
    /// What it wrote to its standard error; `None` if that was no pipe.
    pub stderr: Option<Vec<u8>>,
}

impl Process {
    pub(super) fn new(
        child: Arc<Child>,
        kill_on_drop: bool,
        stdin: Option<StreamWriter>,
        [stdout, stderr]: [Option<StreamReader>; 2],
    ) -> Self {
        Self {
            stdin,
            stdout,
            stderr,
            collected: Collected::default(),
            child: Handle { child, kill_on_drop },
        }
    }

    /// The process id. It is the child's until its exit was noticed, and may be anybody's afterwards: to send a signal there is
    /// [`send_signal`](Self::send_signal). As `Process.pid`.
    pub fn id(&self) -> u32 {
        self.child.child.id()
    }

    /// How the child exited: with this code, or by a signal, whose number is negated. `None` while its exit was not noticed. As
    /// `Process.returncode`, also in that it is 255 if the status was lost (see [`wait`](Self::wait)).
    pub fn returncode(&self) -> Option<i32> {
        let status = self.child.child.status()?;
        Some(status.map_or(UNKNOWN, |status| {
            let signal = status.signal().map(|signal| -signal);
            status.code().or(signal).unwrap_or(UNKNOWN)
        }))
    }

    /// Waits for the child to exit. Any number of tasks may wait; the future does not borrow the process, and may outlive it.
    ///
    /// As `Process.wait()`, but that this waits for the exit alone, and not for the pipes: these may be kept open by
    /// the child's own children. A child that fills a pipe which nobody reads never exits: use [`communicate`](Self::communicate).
    ///
    /// # Errors
    ///
    /// If the status is lost: other code in this process has waited for the child, or `SIGCHLD` is ignored.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped, and the child is left alone.
    pub fn wait(&self) -> impl Future<Output = io::Result<ExitStatus>> + Send + use<> {
        let child = self.child.child.clone();
        async move { child.wait().await }
    }

    /// Writes `input` to the child and closes its input, reads all output, and waits for the exit. As `Process.communicate()`; no input
    /// is `""`.
    ///
    /// Streams that are no pipes, or were taken out, are left out. That the child does not read all of the input is no error. The end
    /// of the output comes when nobody has the pipe open any more: the child's own children may keep it.
    ///
    /// ```
    /// use aioli::process::{Command, Stdio};
    ///
    /// # aioli::run(async {
    /// let mut sort = Command::new("sort").stdin(Stdio::PIPE).stdout(Stdio::PIPE).spawn()?;
    /// let output = sort.communicate("pear\napple\n").await?;
    /// assert_eq!(output.stdout.unwrap(), b"apple\npear\n");
    /// assert_eq!(output.stderr, None);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the pipes to read from, and of [`wait`](Self::wait). [`InvalidInput`](io::ErrorKind::InvalidInput) if there is input and
    /// the standard input is no pipe, was taken out, or was closed, as it is by this; then nothing was done.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, the input, which was taken with the first poll, goes on to the child in the background. Output is kept:
    /// `communicate("")` once more, and that gives all of it.
    pub async fn communicate(&mut self, input: impl AsRef<[u8]>) -> io::Result<Output> {
        self.feed(input.as_ref())?;
        // It may be large, and has been taken.
        drop(input);
        let Collected { stdout, stderr } = &mut self.collected;
        try_zip(
            collect(self.stdout.as_mut(), stdout),
            collect(self.stderr.as_mut(), stderr),
        )
        .await?;
        let status = self.wait().await?;
        let Collected { stdout, stderr } = std::mem::take(&mut self.collected);
        Ok(Output { status, stdout, stderr })
    }

    /// Gives all of the child's input away, to be written in the background as far as need be.
    fn feed(&self, input: &[u8]) -> io::Result<()> {
        match &self.stdin {
            Some(stdin) if input.is_empty() || !stdin.is_ending() => {
                stdin.write(input);
                stdin.write_eof();
                Ok(())
            }
            None if input.is_empty() => Ok(()),
            Some(_) => Err(invalid(
                "there is input, and the child's standard input was closed before: give all of it the first time",
            )),
            None => Err(invalid(
                "there is input, and nothing to write it to: start the command with `stdin(Stdio::PIPE)`",
            )),
        }
    }

    /// Sends a signal: a [`SignalKind`](crate::signal::SignalKind), or a number. 0 sends none, and is a question: is it there?
    /// As `Process.send_signal()`.
    ///
    /// It reaches the child or nobody, never another process that has got its id. (Where there are no pidfds, that can happen if other
    /// code in this process has waited for the child, or `SIGCHLD` is ignored.)
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) with a [`ProcessLookupError`](super::ProcessLookupError) inside, if the child's exit was
    /// noticed before; a child that has just exited takes it quietly. [`InvalidInput`](io::ErrorKind::InvalidInput) for what is no
    /// signal. [`PermissionDenied`](io::ErrorKind::PermissionDenied), for a child that has become another user's.
    pub fn send_signal(&self, signal: impl Into<i32>) -> io::Result<()> {
        self.child.child.send(signal_from(signal.into())?)
    }

    /// Sends a signal to all in the process group that the child leads: the one that
    /// [`process_group(0)`](super::Command::process_group) has made, with what the child has started. As `os.killpg()`.
    ///
    /// It reaches no other group: when the child's exit was noticed, its id may be another's, and nobody gets the signal any more,
    /// though there may be others in the group. (See [`send_signal`](Self::send_signal) about where there are no pidfds.)
    ///
    /// ```
    /// use aioli::{process::Command, signal::SignalKind};
    ///
    /// # aioli::run(async {
    /// let shell = Command::shell("sleep 3600 | sleep 3600").process_group(0).spawn()?;
    /// shell.send_signal_to_group(SignalKind::terminate())?;
    /// assert!(!shell.wait().await?.success());
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal); [`InvalidInput`](io::ErrorKind::InvalidInput) also if the child leads no group.
    pub fn send_signal_to_group(&self, signal: impl Into<i32>) -> io::Result<()> {
        self.child.child.send_to_group(signal_from(signal.into())?)
    }

    /// Asks the child to end (`SIGTERM`), which it may ignore. As `Process.terminate()`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    pub fn terminate(&self) -> io::Result<()> {
        self.child.child.send(Some(Signal::TERM))
    }

    /// Ends the child (`SIGKILL`), which it cannot ignore. Its own children go on; to end them too see
    /// [`send_signal_to_group`](Self::send_signal_to_group). As `Process.kill()`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    pub fn kill(&self) -> io::Result<()> {
        self.child.child.send(Some(Signal::KILL))
    }
}

/// Reads to the end, and adds what it gets to what is `collected`.
async fn collect(reader: Option<&mut StreamReader>, collected: &mut Option<Vec<u8>>) -> io::Result<()> {
    if let Some(reader) = reader {
        let rest = reader.read_to_eof().await?;
        match collected {
            // It had come to its end before, and there is no rest.
            Some(all) => all.extend(rest),
            None => *collected = Some(rest),
        }
    }
    Ok(())
}

/// The signal of a number; `None` for 0, which only asks.
fn signal_from(number: i32) -> io::Result<Option<Signal>> {
    if number == 0 {
        return Ok(None);
    }
    // Among the signals are those of real time, which have no names.
    #[cfg(target_os = "linux")]
    if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number) {
        // SAFETY: it is a signal, and none of those that the C library keeps for itself, which are outside of this range.
        return Ok(Some(unsafe { Signal::from_raw_unchecked(number) }));
    }
    match Signal::from_named_raw(number) {
        Some(signal) => Ok(Some(signal)),
        None => Err(invalid(format!(
            "{number} is not a signal: use `SignalKind`, or the constants of `libc`"
        ))),
    }
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}

/// Kills the child when it is dropped, if that was asked for. Not `Process` itself, so that its fields can be moved out of it.
struct Handle {
    child: Arc<Child>,
    kill_on_drop: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // If it has exited, so much the better.
            let _ = self.child.send(Some(Signal::KILL));
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("id", &self.id())
            .field("returncode", &self.returncode())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}
