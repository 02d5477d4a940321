//! What is to be started, and how.

use super::{ExitStatus, Output, Process, Stdio};
use crate::{streams::LIMIT, task::poll_budget};
use std::{
    borrow::BorrowMut,
    ffi::OsStr,
    future::{Future, IntoFuture},
    io,
    os::unix::process::CommandExt,
    path::Path,
    pin::Pin,
    process,
    task::{Context, Poll, ready},
};

/// What is to be started, and how: a program, its arguments, its environment, its standard streams.
///
/// As [`std::process::Command`], which it is made of, and as the arguments of `asyncio.create_subprocess_exec()`. A command can be
/// started any number of times, by [`spawn`](Self::spawn), or by awaiting it, which is the same.
///
/// ```
/// use aioli::process::{Command, Stdio};
///
/// # aioli::run(async {
/// let mut command = Command::new("printenv");
/// command.arg("GREETING").env("GREETING", "hello").stdout(Stdio::PIPE);
/// let output = command.spawn()?.communicate("").await?;
/// assert_eq!(output.stdout.unwrap(), b"hello\n");
///
/// // A missing program is an error here and now.
/// let error = Command::new("./no-such-program").await.unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a command starts nothing until it is spawned or awaited"]
pub struct Command {
    pub(super) std: process::Command,
    /// Then nobody can know what its streams are where they were not set here.
    pub(super) is_from_std: bool,
    pub(super) stdin: Option<Stdio>,
    pub(super) stdout: Option<Stdio>,
    pub(super) stderr: Option<Stdio>,
    pub(super) limit: usize,
    pub(super) kill_on_drop: bool,
}

impl Command {
    /// A program, which is looked for in `PATH` unless there is a `/` in it. Without arguments, with the environment, the
    /// directory and the standard streams of this process.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            is_from_std: false,
            ..process::Command::new(program).into()
        }
    }

    /// A script for the shell, `/bin/sh`. As the argument of `asyncio.create_subprocess_shell()`, and as dangerous: quote what you put
    /// into it, or better give it as an argument, which the script has as `"$0"`, `"$1"` and so on.
    ///
    /// Signals go to the shell, and not to what that has started: see [`process_group`](Self::process_group).
    ///
    /// ```
    /// use aioli::process::Command;
    ///
    /// # aioli::run(async {
    /// let output = Command::shell("echo one; echo two >&2; exit 3").output().await?;
    /// assert_eq!(output.status.code(), Some(3));
    /// assert_eq!((output.stdout.unwrap(), output.stderr.unwrap()), (b"one\n".to_vec(), b"two\n".to_vec()));
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn shell(script: impl AsRef<OsStr>) -> Self {
        let mut command = Self::new("/bin/sh");
        command.arg("-c").arg(script);
        command
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> &mut Self {
        self.std.args(args);
        self
    }

    /// What the program is told to be its own name, its argument 0; by default that by which it is started.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg0(arg);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(key, value);
        self
    }

    /// Sets variables of its environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(&mut self, vars: impl IntoIterator<Item = (K, V)>) -> &mut Self {
        self.std.envs(vars);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(key);
        self
    }

    /// Empties its environment: those variables are there which are set afterwards.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Where it is to be. A relative path to the program should not be combined with this.
    pub fn current_dir(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(path);
        self
    }

    /// What its standard input is; [`Stdio::INHERIT`] by default.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// What its standard output is; [`Stdio::INHERIT`] by default, but see [`output`](Self::output).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// What its standard error is; [`Stdio::INHERIT`] by default, but see [`output`](Self::output).
    ///
    /// ```
    /// use aioli::process::{Command, Stdio};
    ///
    /// # aioli::run(async {
    /// let mut command = Command::shell("echo out; echo err >&2");
    /// let output = command.stdout(Stdio::PIPE).stderr(Stdio::STDOUT).output().await?;
    /// assert_eq!((output.stdout.unwrap(), output.stderr), (b"out\nerr\n".to_vec(), None));
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// How many bytes there may be in front of a separator when lines and the like are read from the child; 64 KiB by default. As the
    /// argument `limit` of asyncio. It does not limit [`communicate`](Process::communicate).
    pub fn limit(&mut self, bytes: usize) -> &mut Self {
        self.limit = bytes;
        self
    }

    /// Whether the child is killed when its [`Process`] is dropped; `false` by default. It is killed only, and its exit is noticed in the
    /// background. (asyncio kills a child when its transport is closed, as it is with the loop.)
    ///
    /// It saves nobody from cleaning up what the child leaves behind. To ask the child first, defer that: see the
    /// [module's page](super#what-becomes-of-a-child).
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// The user that it is to be.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.std.uid(id);
        self
    }

    /// The group that it is to be of.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.std.gid(id);
        self
    }

    /// The process group that it is to be in; 0: a new one of its own. Then Ctrl-C on the terminal does not reach it, and a signal can be
    /// sent to it and all that it has started: [`Process::send_signal_to_group`].
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        self.std.process_group(group);
        self
    }

    /// Has `function` called in the child before the program is started; if it fails, so does the start.
    ///
    /// # Safety
    ///
    /// As for [`std::os::unix::process::CommandExt::pre_exec`]: the function runs in a copy of a process of several threads, where next
    /// to nothing may be called; it must not allocate, nor take a lock.
    pub unsafe fn pre_exec(&mut self, function: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> &mut Self {
        // SAFETY: our caller promises what theirs is to promise.
        unsafe { self.std.pre_exec(function) };
        self
    }

    /// The standard library's command, to look into: it does not know the standard streams.
    pub fn as_std(&self) -> &process::Command {
        &self.std
    }

    /// Starts it.
    ///
    /// As `create_subprocess_exec()` in asyncio. It does not wait; the thread is blocked until the child runs the program, for a
    /// millisecond or less.
    ///
    /// # Errors
    ///
    /// Those of the system: [`NotFound`](io::ErrorKind::NotFound) for a program or a directory that is missing,
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for what cannot be executed, and others for want of descriptors,
    /// processes or memory. [`InvalidInput`](io::ErrorKind::InvalidInput) for an argument with a NUL in it, or if [`Stdio::STDOUT`] is anything but
    /// the standard error, or goes where a command of the standard library was told. There is no child then.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    pub fn spawn(&mut self) -> io::Result<Process> {
        self.start()
    }

    /// Starts it, waits for it to exit, and gives how. As `subprocess.call()`.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and [`Process::wait`].
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, the child goes on, unless [`kill_on_drop`](Self::kill_on_drop) was asked for.
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        let process = self.spawn()?;
        process.wait().await
    }

    /// Starts it, reads all that it writes, and waits for it to exit. As `subprocess.run()`.
    ///
    /// Its standard output and error are pipes from then on, unless it was said here what they are.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and [`Process::communicate`].
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, what was read is lost, and the child goes on, unless [`kill_on_drop`](Self::kill_on_drop) was asked for.
    pub async fn output(&mut self) -> io::Result<Output> {
        self.stdout.get_or_insert(Stdio::PIPE);
        self.stderr.get_or_insert(Stdio::PIPE);
        self.spawn()?.communicate("").await
    }
}

impl From<process::Command> for Command {
    /// A command of the standard library, whose standard streams are left as they are set there, unless they are set here.
    ///
    /// What they are there cannot be seen from here. So [`output`](Self::output) makes pipes of the standard output and error that
    /// are not set here, and [`Stdio::STDOUT`] takes a [`stdout`](Self::stdout) that is.
    fn from(std: process::Command) -> Self {
        Self {
            std,
            is_from_std: true,
            stdin: None,
            stdout: None,
            stderr: None,
            limit: LIMIT,
            kill_on_drop: false,
        }
    }
}

impl IntoFuture for Command {
    type Output = io::Result<Process>;
    type IntoFuture = Spawn<Self>;

    /// As [`spawn`](Self::spawn), when it is awaited.
    fn into_future(self) -> Spawn<Self> {
        Spawn(self)
    }
}

impl<'a> IntoFuture for &'a mut Command {
    type Output = io::Result<Process>;
    type IntoFuture = Spawn<Self>;

    /// As [`spawn`](Command::spawn), when it is awaited.
    fn into_future(self) -> Spawn<&'a mut Command> {
        Spawn(self)
    }
}

/// Starts a command when it is polled. Made by awaiting a [`Command`].
///
/// # Panics
///
/// If no event loop runs on this thread.
///
/// # Cancel safety
///
/// It does not wait: there is no child before it is ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Spawn<C>(C);

impl<C: BorrowMut<Command> + Unpin> Future for Spawn<C> {
    type Output = io::Result<Process>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_budget(cx));
        Poll::Ready(self.0.borrow_mut().spawn())
    }
}
