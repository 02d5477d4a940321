//! Child processes: [`Command`] says what is to be started and how, [`Process`] is what was started.
//!
//! [`create_subprocess_exec`] and [`create_subprocess_shell`] read as in asyncio; `Command` is what they give, and reads as in the standard
//! library.
//!
//! ```
//! use aioli::process::{Stdio, create_subprocess_exec, create_subprocess_shell};
//!
//! # aioli::run(async {
//! let mut cat = create_subprocess_exec("cat").stdin(Stdio::PIPE).stdout(Stdio::PIPE).await?;
//! assert_eq!(cat.communicate("hello").await?.stdout.as_deref(), Some(&b"hello"[..]));
//!
//! let script = create_subprocess_shell("echo out; exit 3").stdout(Stdio::DEVNULL).await?;
//! assert_eq!(script.wait().await?.code(), Some(3));
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```
//!
//! # What becomes of a child
//!
//! A child goes on when its [`Process`] is dropped, when the task that started it is cancelled, and when the loop is closed, unless
//! [`Command::kill_on_drop`] says otherwise. It never becomes a zombie: its loop waits for it, whether anybody is interested or not, and
//! when the loop is gone a thread of this process does, which ends with the last child. (The loop does so while it runs. Between two
//! runs of a [`Runner`](crate::Runner) nobody does.)
//!
//! To stop a child nicely when its task is cancelled, or ends otherwise, ask it first, and kill it when it takes too long:
//!
//! ```
//! use aioli::{closing, process::{Command, Process}, wait_for};
//! use std::time::Duration;
//!
//! async fn stop(child: Process) {
//!     // An error means that it has exited.
//!     let _ = child.terminate();
//!     if wait_for(child.wait(), Duration::from_secs(5)).await.is_err() {
//!         let _ = child.kill();
//!         let _ = child.wait().await;
//!     }
//! }
//!
//! async fn serve() -> std::io::Result<()> {
//!     let server = closing(Command::new("sleep").arg("3600").spawn()?, stop);
//!     server.wait().await?;
//!     Ok(())
//! }
//!
//! # aioli::run(async {
//! let task = aioli::create_task(serve());
//! aioli::yield_now().await;
//! task.cancel();
//! // The child is gone when the task is over.
//! assert!(task.await.is_err());
//! # });
//! ```
//!
//! # How it works
//!
//! On Linux each child has a pidfd, which its loop's reactor watches: there is no thread for a child, and no handler of `SIGCHLD`.
//! Where pidfds are missing one thread for all children waits for that signal. The children of other code are never waited for. If
//! other code waits for ours, or `SIGCHLD` is ignored, so that the system does, their status is lost and [`Process::wait`] says so.

mod child;
mod children;
mod command;
mod errors;
mod handle;
mod orphans;
mod pidfd;
mod spawn;
mod stdio;

pub(crate) use children::Children;
pub use command::{Command, Spawn};
pub use errors::ProcessLookupError;
pub use handle::{Output, Process};
#[doc(hidden)]
pub use pidfd::watch_by_sigchld;
#[doc(no_inline)]
pub use std::process::ExitStatus;
pub use stdio::Stdio;

use std::ffi::OsStr;

/// A command that starts `program`, to be given arguments and more, and awaited. As `asyncio.create_subprocess_exec()`.
///
/// It is [`Command::new`], by another name.
///
/// ```
/// use aioli::process::{Stdio, create_subprocess_exec};
///
/// # aioli::run(async {
/// let mut process = create_subprocess_exec("echo").args(["one", "two"]).stdout(Stdio::PIPE).await?;
/// let line = process.stdout.as_mut().unwrap().readline().await?;
/// assert_eq!(line, b"one two\n");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub fn create_subprocess_exec(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// A command that has the shell run `script`, to be awaited. As `asyncio.create_subprocess_shell()`.
///
/// It is [`Command::shell`], by another name.
pub fn create_subprocess_shell(script: impl AsRef<OsStr>) -> Command {
    Command::shell(script)
}
