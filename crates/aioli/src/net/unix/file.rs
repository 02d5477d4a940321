//! The file that a Unix socket is bound to: what it leaves behind, and what others left.

use super::unix_address;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs::{self, Metadata},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::SocketAddr,
    },
    path::{Path, PathBuf, absolute},
};

/// Binds a socket by `bind`, in place of one that nobody uses any more. The file, if it is one, is removed when the guard is dropped.
///
/// Who binds in the same instant, and finds the same abandoned file, may remove the other's new one: there is no call that removes a
/// file only if it is still the one that was looked at.
pub(super) fn bind<T>(
    path: &Path,
    kind: Type,
    mut bind: impl FnMut(&SocketAddr) -> io::Result<T>,
) -> io::Result<(T, Option<SocketFile>)> {
    let address = unix_address(path)?;
    let socket = match bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if address.as_pathname().is_some() {
                remove_abandoned(path, kind)?;
            }
            bind(&address)?
        }
        result => result?,
    };
    let file = match address.as_pathname() {
        Some(path) => Some(SocketFile::new(path)?),
        None => None,
    };
    Ok((socket, file))
}

/// Removes the file of a socket that nobody has open.
fn remove_abandoned(path: &Path, kind: Type) -> io::Result<()> {
    let in_use = |why: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{path:?} {why}")));
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            in_use("exists and is not a socket: remove it, or choose another path")
        }
        Ok(_) if has_owner(path, kind)? => in_use("is in use by another socket: choose another path"),
        Ok(_) => match fs::remove_file(path) {
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a process has the socket at `path` open: only then is it not refused to connect. A listener takes this for a
/// client who leaves at once.
fn has_owner(path: &Path, kind: Type) -> io::Result<bool> {
    let probe = Socket::new(Domain::UNIX, kind, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        // Accepted, or left waiting, or a socket of another kind.
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
