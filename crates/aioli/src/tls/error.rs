//! What TLS can fail with. It comes inside of an `io::Error`, as all that a connection fails with.

use std::{error::Error, fmt, io, time::Duration};

/// Why TLS failed: inside of the [`io::Error`] of a handshake, a read or a write. As `ssl.SSLError` and its like.
///
/// ```
/// use aioli::tls::{TlsError, rustls};
/// use std::io;
///
/// fn is_untrusted(error: &io::Error) -> bool {
///     let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<TlsError>());
///     matches!(inside, Some(TlsError::Protocol(rustls::Error::InvalidCertificate(_))))
/// }
///
/// let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
/// assert!(is_untrusted(&TlsError::Protocol(unknown).into()));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A certificate is not good, the peer has said that it gives up, or what it sent is not what it should be.
    Protocol(rustls::Error),
    /// The handshake took longer than it may.
    HandshakeTimeout(Duration),
    /// The peer closed the connection in the middle of the handshake, without saying why.
    HandshakeEof,
    /// The connection ended, and the peer had not said that this is the end of the stream: somebody may have cut it off.
    Truncated,
    /// So much was sent that the keys must not be used any longer. Only TLS 1.2 cannot renew them.
    KeysExhausted,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => match advice(error) {
                Some(advice) => write!(f, "{error} ({advice})"),
                None => error.fmt(f),
            },
            Self::HandshakeTimeout(limit) => write!(
                f,
                "the TLS handshake took longer than {limit:?}: the peer may not speak TLS, the limit is too low, or the event \
                 loop's time is virtual"
            ),
            Self::HandshakeEof => f.write_str("the peer closed the connection in the middle of the TLS handshake"),
            Self::Truncated => {
                f.write_str("the connection ended without TLS's close_notify: what was received may be incomplete")
            }
            Self::KeysExhausted => {
                f.write_str("the keys of the TLS connection are used up: open another one, or use TLS 1.3")
            }
        }
    }
}

/// What to do about it, where rustls does not say.
fn advice(error: &rustls::Error) -> Option<&'static str> {
    use rustls::{AlertDescription as Alert, CertificateError, Error, InvalidMessage};
    Some(match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "the peer does not speak TLS",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its issuer is not among the trusted root certificates"
        }
        Error::AlertReceived(Alert::UnknownCA) => "the peer does not trust the issuer of our certificate",
        Error::AlertReceived(Alert::CertificateRequired) => "the peer asks for a certificate, and we have none",
        Error::AlertReceived(Alert::NoApplicationProtocol) | Error::NoApplicationProtocol => {
            "the two ends have no ALPN protocol in common"
        }
        _ => return None,
    })
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Protocol(error)
    }
}

impl From<TlsError> for io::Error {
    /// [`TimedOut`](io::ErrorKind::TimedOut) for a time limit, [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for an end too
    /// early, [`InvalidData`](io::ErrorKind::InvalidData) for the rest; all keep the error inside.
    fn from(error: TlsError) -> Self {
        let kind = match error {
            TlsError::HandshakeTimeout(_) => io::ErrorKind::TimedOut,
            TlsError::HandshakeEof | TlsError::Truncated => io::ErrorKind::UnexpectedEof,
            TlsError::Protocol(_) | TlsError::KeysExhausted => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// The same error once more, with what is inside if that is TLS's: a connection that has failed says so to whoever asks.
pub(super) fn repeat(error: &io::Error) -> io::Error {
    if let Some(inside) = error.get_ref().and_then(|inside| inside.downcast_ref::<TlsError>()) {
        return inside.clone().into();
    }
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
