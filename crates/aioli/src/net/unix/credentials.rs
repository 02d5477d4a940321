//! Who is at the other end of a Unix socket.

use std::{io, os::fd::AsFd};

/// A process, and the user and group that it ran as; from [`UnixStream::peer_cred`](super::UnixStream::peer_cred).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCredentials {
    /// The process, where the system tells: Linux does.
    pub pid: Option<i32>,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_peer(socket: impl AsFd) -> io::Result<PeerCredentials> {
    let peer = rustix::net::sockopt::socket_peercred(socket)?;
    Ok(PeerCredentials {
        pid: Some(peer.pid.as_raw_pid()),
        uid: peer.uid.as_raw(),
        gid: peer.gid.as_raw(),
    })
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub(super) fn of_peer(socket: impl AsFd) -> io::Result<PeerCredentials> {
    use std::os::fd::AsRawFd;
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is open as long as it is borrowed, and the pointers are to variables of the right types.
    match unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &mut uid, &mut gid) } {
        0 => Ok(PeerCredentials { pid: None, uid, gid }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub(super) fn of_peer(_: impl AsFd) -> io::Result<PeerCredentials> {
    Err(io::ErrorKind::Unsupported.into())
}
