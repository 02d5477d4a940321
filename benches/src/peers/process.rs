//! What the rows about children need of a runtime. Here `/dev/null` is the input of every child.

use std::future::Future;
use std::io;

use super::SyncPeer;

/// A runtime that runs other programs.
pub trait ProcessPeer: SyncPeer {
    /// Runs a program to its end, and returns whether it succeeded.
    fn run_program(program: &'static str) -> impl Future<Output = io::Result<bool>> + Send;

    /// Runs a program with this argument to its end, and returns what it printed, through a pipe.
    fn read_program(program: &'static str, argument: &'static str) -> impl Future<Output = io::Result<Vec<u8>>> + Send;
}
