//! What a child's standard streams are.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    process,
};

/// What one of a child's standard streams is. As the arguments `stdin`, `stdout` and `stderr` of asyncio's functions; the names of the
/// constants are asyncio's, too.
///
/// It can also be an open file or descriptor, through `From`: a [`File`], an [`OwnedFd`], and with
/// [`into_blocking_fd`](crate::pipe::PipeWriter::into_blocking_fd) the end of a pipe. The command keeps that open, for the next start, until it is dropped or told otherwise: the
/// other end of a pipe sees no end before. (The first command below is dropped as soon as it was started.)
///
/// ```
/// use aioli::process::{Command, Stdio};
///
/// # aioli::run(async {
/// // echo "three words here" | wc -w
/// let (reader, writer) = aioli::pipe::pipe()?;
/// let echo = Command::new("echo").arg("three words here").stdout(writer.into_blocking_fd()?).spawn()?;
/// let count = Command::new("wc").arg("-w").stdin(reader.into_blocking_fd()?).output().await?;
/// assert_eq!(count.stdout.unwrap().trim_ascii(), b"3");
/// assert!(echo.wait().await?.success());
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Stdio(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Inherit,
    Pipe,
    Devnull,
    Stdout,
    Open(OwnedFd),
}

impl Stdio {
    /// That of this process. The default, as `None` is in asyncio.
    pub const INHERIT: Self = Self(Kind::Inherit);
    /// A pipe, whose other end becomes a field of the [`Process`](super::Process).
    pub const PIPE: Self = Self(Kind::Pipe);
    /// `/dev/null`: no input, and output that goes nowhere.
    pub const DEVNULL: Self = Self(Kind::Devnull);
    /// For the standard error only: it goes where the standard output goes.
    pub const STDOUT: Self = Self(Kind::Stdout);

    /// As the standard library says it; `Stdio::STDOUT` has no counterpart there.
    pub(super) fn to_std(&self) -> io::Result<process::Stdio> {
        Ok(match &self.0 {
            Kind::Inherit => process::Stdio::inherit(),
            Kind::Pipe => process::Stdio::piped(),
            Kind::Devnull => process::Stdio::null(),
            Kind::Open(fd) => fd.as_fd().try_clone_to_owned()?.into(),
            Kind::Stdout => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "`Stdio::STDOUT` is for a child's standard error, which then goes where its standard output goes",
                ));
            }
        })
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self(Kind::Open(fd))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self(Kind::Open(file.into()))
    }
}
