//! Who is at the other end of a Unix socket.

use std::{io, os::fd::AsFd};

/// A process, and the user and group that it ran as; from [`UnixStream::peer_cred`](super::UnixStream::peer_cred).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCredentials {
    /// The process. `None` on systems other than Linux, which do not tell, and for a process that has no number here: it is outside the
    /// pid namespace (the container) that we are in.
    pub pid: Option<i32>,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_peer(socket: impl AsFd) -> io::Result<PeerCredentials> {
    use std::{mem, os::fd::AsRawFd};
    // What the system says if there is no peer.
    let mut peer = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut length = mem::size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the descriptor is open as long as it is borrowed; `length` bytes of plain numbers may be written to `peer`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &mut length,
        )
    };
    match result {
        0 => from_ucred(peer),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn from_ucred(peer: libc::ucred) -> io::Result<PeerCredentials> {
    if peer.uid == u32::MAX {
        return Err(io::Error::new(
            io::ErrorKind::NotConnected,
            "the socket has no peer: connect it first",
        ));
    }
    Ok(PeerCredentials {
        pid: (peer.pid > 0).then_some(peer.pid),
        uid: peer.uid,
        gid: peer.gid,
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

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_no_number() {
        let of = |pid, uid| from_ucred(libc::ucred { pid, uid, gid: 7 });
        let known = of(5, 0).unwrap();
        assert_eq!((known.pid, known.uid, known.gid), (Some(5), 0, 7));
        assert_eq!(of(0, 1000).unwrap().pid, None);
        assert_eq!(of(0, u32::MAX).unwrap_err().kind(), io::ErrorKind::NotConnected);
    }
}
