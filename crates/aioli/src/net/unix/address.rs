//! From paths to addresses of Unix sockets.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::linux::net::SocketAddrExt;
use std::{
    io,
    os::unix::{ffi::OsStrExt, net::SocketAddr},
    path::Path,
};

/// The address of a Unix socket at a path. On Linux a path that begins with a NUL byte, as in `"\0chat"`, is an abstract name, which is not
/// in the file system and is gone with its socket.
///
/// ```
/// let address = aioli::net::unix_address("/run/chat.socket")?;
/// assert_eq!(address.as_pathname().unwrap().to_str(), Some("/run/chat.socket"));
/// # std::io::Result::Ok(())
/// ```
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a path that is empty or too long (systems take about 100 bytes), or has a NUL byte
/// that is not its first.
pub fn unix_address(path: impl AsRef<Path>) -> io::Result<SocketAddr> {
    let path = path.as_ref();
    let address = match path.as_os_str().as_bytes() {
        [] => Err(io::ErrorKind::InvalidInput.into()),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [0, name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(path),
    };
    address.map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{path:?} is not an address of a Unix socket: write a path of at most about 100 bytes"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsStr, path::PathBuf};

    #[test]
    fn paths_and_abstract_names_are_told_apart() {
        let path = unix_address("/tmp/x").unwrap();
        assert_eq!(path.as_pathname(), Some(Path::new("/tmp/x")));
        #[cfg(target_os = "linux")]
        {
            let name = unix_address("\0name").unwrap();
            assert_eq!(name.as_pathname(), None);
            assert_eq!(name.as_abstract_name(), Some(&b"name"[..]));
        }
    }

    #[test]
    fn a_path_that_is_no_address_is_an_error_that_quotes_it() {
        let long = PathBuf::from("x".repeat(200));
        for path in [
            Path::new(""),
            Path::new("a\0b"),
            &long,
            Path::new(OsStr::from_bytes(b"\xff\0")),
        ] {
            let error = unix_address(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
        }
    }
}
