//! Who looks names up.

use super::lookup::{AddrInfoHints, getaddrinfo};
use crate::runtime::EventLoop;
use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

/// The future of a look-up, made by a [`Resolver`].
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of a name, for [`ToAddresses`](super::ToAddresses) and so for all that connects or listens.
///
/// A loop has one: the [`SystemResolver`], unless [`Builder::resolver`](crate::Builder::resolver) or
/// [`EventLoop::set_resolver`] says otherwise. Addresses in numbers are not asked for.
///
/// ```
/// use aioli::net::{Lookup, Resolver, SystemResolver, TcpListener, TcpStream};
///
/// /// Knows a few names more than the system.
/// struct WithTestNames;
///
/// impl Resolver for WithTestNames {
///     fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
///         match host {
///             "server.test" => Box::pin(async move { Ok(vec![([127, 0, 0, 1], port).into()]) }),
///             _ => SystemResolver.resolve(host, port),
///         }
///     }
/// }
///
/// let mut runner = aioli::Builder::new().resolver(WithTestNames).build().unwrap();
/// runner.run(async {
///     let listener = TcpListener::bind("server.test:0").await?;
///     TcpStream::connect(("server.test", listener.local_addr()?.port())).await?;
///     # std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of `host`, with `port` put in, those to be tried first at the beginning.
    ///
    /// # Errors
    ///
    /// An error, [`NotFound`](io::ErrorKind::NotFound) if it is that there is no such name, rather than no address at all.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a>;
}

/// Asks the operating system, by [`getaddrinfo`] on a thread for blocking calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
        Box::pin(async move {
            let hints = AddrInfoHints::new().socket_type(socket2::Type::STREAM);
            let found = getaddrinfo(host, port, hints).await?;
            Ok(found.into_iter().map(|info| info.address).collect())
        })
    }
}

/// Asks the resolver of the loop that runs on this thread.
pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let resolver: Arc<dyn Resolver> = EventLoop::current().resolver();
    resolver.resolve(host, port).await
}
