//! Making a TCP connection to a name that has several addresses.

use super::{TcpSocket, TcpStream, ToAddresses};
use crate::time::sleep;
use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

/// How a TCP connection is made. As the arguments of `loop.create_connection()` in asyncio.
///
/// By default the addresses are tried one after the other, until one answers.
///
/// ```
/// use aioli::net::{ConnectOptions, TcpListener};
/// use std::time::Duration;
///
/// # aioli::run(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let stream = ConnectOptions::new()
///     .happy_eyeballs_delay(Duration::from_millis(250))
///     .connect(("localhost", listener.local_addr()?.port()))
///     .await?;
/// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    delay: Option<Duration>,
    interleave: Option<usize>,
    local: Option<SocketAddr>,
}

impl ConnectOptions {
    /// One address after the other, each until it has failed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has an attempt that takes longer than `delay` go on beside the next one; the first to succeed wins, and the others are given up
    /// ("happy eyeballs", RFC 8305, which recommends 250 ms). So an address that does not answer, often the only one of IPv6, costs
    /// this long and not minutes.
    pub fn happy_eyeballs_delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Has the addresses of IPv4 and IPv6 take turns, after the first `count` of the family that the first address is of. 0 leaves them in
    /// the order in which the look-up gave them. The default is 1 with [`happy_eyeballs_delay`](Self::happy_eyeballs_delay), and else
    /// 0.
    pub fn interleave(mut self, count: usize) -> Self {
        self.interleave = Some(count);
        self
    }

    /// Gives our end an address. Addresses of the other family cannot be connected to, then.
    pub fn local_addr(mut self, address: SocketAddr) -> Self {
        self.local = Some(address);
        self
    }

    /// Connects to one of the addresses.
    ///
    /// # Errors
    ///
    /// If there was one attempt, its error. If there were several, one with a [`ConnectError`] inside, which has them all; its kind is
    /// theirs if they agree, and else that of the last.
    ///
    /// Those of the look-up; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no address, or what was given is not one.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives all attempts up.
    pub async fn connect(&self, addresses: impl ToAddresses) -> io::Result<TcpStream> {
        let mut addresses = addresses.to_addresses()?.resolve().await?;
        let interleave = self.interleave.unwrap_or(usize::from(self.delay.is_some()));
        if interleave > 0 {
            addresses = interleaved(addresses, interleave);
        }
        match self.delay {
            Some(delay) => staggered(addresses, delay, |address| self.attempt(address)).await,
            None => one_by_one(addresses, |address| self.attempt(address)).await,
        }
        .map_err(ConnectError::into_io)
    }

    async fn attempt(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::for_address(address)?;
        if let Some(local) = self.local {
            if local.is_ipv4() != address.is_ipv4() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{local} is no address to connect from, as they are of different families"),
                ));
            }
            socket.bind(local)?;
        }
        socket.connect(address).await
    }
}

/// Each attempt begins when the one before has failed.
async fn one_by_one<T, F>(addresses: Vec<SocketAddr>, attempt: impl Fn(SocketAddr) -> F) -> Result<T, ConnectError>
where
    F: Future<Output = io::Result<T>>,
{
    let mut attempts = Vec::new();
    for address in addresses {
        match attempt(address).await {
            Ok(value) => return Ok(value),
            Err(error) => attempts.push((address, error)),
        }
    }
    Err(ConnectError { attempts })
}

/// Each attempt begins when `delay` is over since the one before began, or when one has failed.
async fn staggered<T, F>(
    addresses: Vec<SocketAddr>,
    delay: Duration,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, ConnectError>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.into_iter();
    let mut running: Vec<(SocketAddr, Pin<Box<F>>)> = Vec::new();
    let mut attempts = Vec::new();
    loop {
        match waiting.next() {
            Some(address) => running.push((address, Box::pin(attempt(address)))),
            None if running.is_empty() => return Err(ConnectError { attempts }),
            None => {}
        }
        let mut time_for_the_next = pin!(sleep(delay));
        let connected = poll_fn(|cx| {
            let before = attempts.len();
            let mut at = 0;
            while let Some((address, attempt)) = running.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(value)) => return Poll::Ready(Some(value)),
                    Poll::Ready(Err(error)) => {
                        attempts.push((*address, error));
                        drop(running.remove(at));
                    }
                    Poll::Pending => at += 1,
                }
            }
            let is_time = waiting.len() > 0 && time_for_the_next.as_mut().poll(cx).is_ready();
            if is_time || attempts.len() > before {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await;
        if let Some(value) = connected {
            return Ok(value);
        }
    }
}

/// `first` addresses of the family that comes first, and then one of each family in turn.
fn interleaved(addresses: Vec<SocketAddr>, first: usize) -> Vec<SocketAddr> {
    let Some(is_ipv4) = addresses.first().map(SocketAddr::is_ipv4) else {
        return addresses;
    };
    let count = addresses.len();
    let (preferred, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv4() == is_ipv4);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut order: Vec<_> = preferred.by_ref().take(first - 1).collect();
    while order.len() < count {
        order.extend(preferred.next());
        order.extend(others.next());
    }
    order
}

/// None of several addresses could be connected to. Inside an [`io::Error`], and found by `error.get_ref()` and `downcast_ref()`.
#[derive(Debug)]
pub struct ConnectError {
    /// What came of each address, in the order in which the attempts ended.
    pub attempts: Vec<(SocketAddr, io::Error)>,
}

impl ConnectError {
    fn into_io(mut self) -> io::Error {
        let kind = match &self.attempts[..] {
            [] => return io::Error::new(io::ErrorKind::InvalidInput, "there is no address to connect to"),
            [_] => return self.attempts.remove(0).1,
            [.., (_, last)] => last.kind(),
        };
        io::Error::new(kind, self)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "none of {} addresses could be connected to", self.attempts.len())?;
        for (index, (address, error)) in self.attempts.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{address}: {error}")?;
        }
        Ok(())
    }
}

impl Error for ConnectError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::pending, sync::Mutex, time::Instant};

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn ports(range: std::ops::Range<u16>) -> Vec<SocketAddr> {
        range.map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
    }

    #[test]
    fn families_take_turns_after_the_first() {
        let four = ["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1"].map(address);
        let six = ["[::1]:1", "[::2]:1"].map(address);
        let all = [&four[..], &six[..]].concat();
        let in_turn = [four[0], six[0], four[1], six[1], four[2]];
        assert_eq!(interleaved(all.clone(), 1), in_turn);
        let two_first = [four[0], four[1], six[0], four[2], six[1]];
        assert_eq!(interleaved(all.clone(), 2), two_first);
        assert_eq!(interleaved(all.clone(), 9), all);
        let six_first = [&six[..], &four[..]].concat();
        assert_eq!(interleaved(six_first, 1), [six[0], four[0], six[1], four[1], four[2]]);
        assert_eq!(interleaved(Vec::new(), 1), []);
    }

    /// Runs `test` on a clock of its own, so that one which hangs fails at once.
    fn in_virtual_time(test: impl Future<Output = ()>) {
        let mut runner = crate::Builder::new().virtual_time(true).workers(1).build().unwrap();
        let limited = crate::wait_for(test, Duration::from_secs(3600));
        runner.run(limited).expect("the test hangs");
    }

    #[test]
    fn the_next_attempt_begins_when_the_delay_is_over_and_the_first_to_succeed_wins() {
        in_virtual_time(async {
            let event_loop = crate::EventLoop::current();
            let begun = Mutex::new(Vec::new());
            let start = event_loop.time();
            let winner = staggered(ports(0..4), Duration::from_secs(1), async |address| {
                begun.lock().unwrap().push((address.port(), event_loop.time() - start));
                match address.port() {
                    1 => sleep(Duration::from_millis(1500)).await,
                    _ => pending().await,
                }
                Ok(address.port())
            });
            assert_eq!(winner.await.unwrap(), 1);
            let seconds = [0, 1, 2].map(Duration::from_secs);
            assert_eq!(
                *begun.lock().unwrap(),
                [(0, seconds[0]), (1, seconds[1]), (2, seconds[2])]
            );
            assert_eq!(event_loop.time() - start, Duration::from_millis(2500));
        });
    }

    #[test]
    fn the_next_attempt_begins_at_once_when_one_fails() {
        in_virtual_time(async {
            let event_loop = crate::EventLoop::current();
            let start: Instant = event_loop.time();
            let outcome = staggered(ports(0..3), Duration::from_secs(9), async |address| {
                sleep(Duration::from_secs(u64::from(3 - address.port()))).await;
                Err::<(), _>(io::Error::other(address.to_string()))
            });
            let error = outcome.await.unwrap_err();
            let order: Vec<_> = error.attempts.iter().map(|(address, _)| address.port()).collect();
            assert_eq!(order, [0, 1, 2]);
            // Not one delay.
            assert_eq!(event_loop.time() - start, Duration::from_secs(3 + 2 + 1));
        });
    }

    #[test]
    fn errors_come_together() {
        let attempt = |port, kind: io::ErrorKind| (SocketAddr::from(([127, 0, 0, 1], port)), kind.into());
        let none = ConnectError { attempts: Vec::new() };
        assert_eq!(none.into_io().kind(), io::ErrorKind::InvalidInput);
        let one = ConnectError {
            attempts: vec![attempt(1, io::ErrorKind::TimedOut)],
        };
        assert!(one.into_io().get_ref().is_none());
        let two = ConnectError {
            attempts: vec![
                attempt(1, io::ErrorKind::TimedOut),
                attempt(2, io::ErrorKind::ConnectionRefused),
            ],
        };
        let error = two.into_io();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(
            error.to_string(),
            "none of 2 addresses could be connected to: 127.0.0.1:1: timed out; 127.0.0.1:2: connection refused"
        );
        let inside = error.get_ref().unwrap().downcast_ref::<ConnectError>().unwrap();
        assert_eq!(inside.attempts.len(), 2);
    }
}
