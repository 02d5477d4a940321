//! The file that a Unix socket is bound to: what it leaves behind, and what others left.

use super::unix_address;
use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, open},
    io::Errno,
};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::{
    fs::{self, Metadata},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf, absolute},
    thread::sleep,
    time::Duration,
};

/// Binds a socket, in place of one that nobody uses any more. The file, if it is one, is removed when the guard is dropped.
pub(super) fn bind(socket: &impl AsFd, path: &Path) -> io::Result<Option<SocketFile>> {
    let has_file = unix_address(path)?.as_pathname().is_some();
    let (socket, address) = (SockRef::from(socket), SockAddr::unix(path)?);
    if !has_file {
        socket.bind(&address)?;
        return Ok(None);
    }
    let _lock = lock_directory(path);
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_abandoned(path)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    Ok(Some(SocketFile::new(path)?))
}

/// Has those who bind in one directory do so one after the other. There is no call that removes a file only if it is still the one
/// that was looked at: two who found the same abandoned file could remove each other's new one.
///
/// Where it cannot be had (the directory may not be read, or somebody keeps it for himself) we go on without.
fn lock_directory(path: &Path) -> Option<OwnedFd> {
    /// Who binds holds it for microseconds.
    const ATTEMPTS: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(1);
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(parent, flags, Mode::empty()).ok()?;
    for _ in 0..ATTEMPTS {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::WOULDBLOCK | Errno::INTR) => sleep(PAUSE),
            Err(_) => break,
        }
    }
    None
}

/// Removes the file of a socket that nobody has open.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let in_use = |why: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{path:?} {why}")));
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            in_use("exists and is not a socket: remove it, or choose another path")
        }
        Ok(_) if has_owner(path)? => in_use("is in use by another socket: choose another path"),
        Ok(_) => match fs::remove_file(path) {
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a process has the socket at `path` open: only then is it not refused to connect.
///
/// It is a datagram socket that asks, of whatever kind the other is. A stream would be refused by one that is bound and does not listen
/// yet, and would be a client to one that does; datagrams are told that the other is of another kind.
fn has_owner(path: &Path) -> io::Result<bool> {
    let probe = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        _ => Ok(true),
    }
}

/// Removes the file of our own socket when it is dropped, unless it has been replaced.
///
/// To be dropped before the socket: till then, the file's number is not used for another, and nobody takes the file for an abandoned
/// one.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    pub(super) is_removed: bool,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: absolute(path)?,
            identity: identity(&fs::symlink_metadata(path)?),
            is_removed: true,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.is_removed {
            return;
        }
        if let Ok(metadata) = fs::symlink_metadata(&self.path) {
            if identity(&metadata) == self.identity {
                // Nobody is left to be told if it cannot be removed; the next to bind will try.
                let _ = fs::remove_file(&self.path);
            }
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
