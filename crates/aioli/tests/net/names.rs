//! Look-ups, resolvers, and connections to names with several addresses.

use super::run;
use aioli::{
    Builder, EventLoop, create_task, gather,
    net::{
        AddrInfoHints, ConnectError, ConnectOptions, Lookup, LookupError, NameInfoFlags, Resolver, SystemResolver,
        TcpListener, TcpStream, UdpSocket, getaddrinfo, getnameinfo,
        socket2::{Domain, Protocol, Type},
    },
};
use futures_lite::future::poll_once;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A top-level domain in which there are no names, so that nobody else's server is asked in vain for long.
const NO_SUCH_NAME: &str = "no-such-name.invalid";

#[test]
fn addresses_are_found_for_names_and_services() {
    run(|| async {
        let hints = AddrInfoHints::new().family(Domain::IPV4).socket_type(Type::STREAM);
        let found = getaddrinfo("localhost", "80", hints).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].address, "127.0.0.1:80".parse().unwrap());
        assert_eq!(found[0].family, Domain::IPV4);
        assert_eq!(found[0].socket_type, Type::STREAM);
        assert_eq!(found[0].protocol, Protocol::TCP);
        let udp = getaddrinfo("localhost", 80, AddrInfoHints::new().protocol(Protocol::UDP))
            .await
            .unwrap();
        assert!(udp.iter().all(|info| info.socket_type == Type::DGRAM));
        let named = getaddrinfo("127.0.0.1", 80, hints.flags(libc::AI_CANONNAME))
            .await
            .unwrap();
        assert_eq!(named[0].canonical_name.as_deref(), Some("127.0.0.1"));
        let everywhere = getaddrinfo(None, 80, hints.flags(libc::AI_PASSIVE)).await.unwrap();
        assert_eq!(everywhere[0].address, (Ipv4Addr::UNSPECIFIED, 80).into());
    });
}

#[test]
fn numbers_need_no_thread() {
    run(|| async {
        let found = poll_once(pin!(getaddrinfo("::1", 80, AddrInfoHints::new()))).await;
        assert_eq!(found.unwrap().unwrap()[0].address, "[::1]:80".parse().unwrap());
        let address = "127.0.0.1:80".parse().unwrap();
        let names = poll_once(pin!(getnameinfo(address, NameInfoFlags::NUMERIC))).await;
        assert_eq!(names.unwrap().unwrap(), ("127.0.0.1".to_owned(), "80".to_owned()));
        // The same, if it has to be looked up, waits.
        assert!(
            poll_once(pin!(getaddrinfo("localhost", 80, AddrInfoHints::new())))
                .await
                .is_none()
        );
    });
}

#[test]
fn names_are_found_for_addresses() {
    run(|| async {
        let address = "127.0.0.1:9".parse().unwrap();
        let flags = NameInfoFlags {
            name_required: true,
            numeric_service: true,
            ..NameInfoFlags::default()
        };
        let (host, service) = getnameinfo(address, flags).await.unwrap();
        assert!(host.contains("localhost"), "{host}");
        assert_eq!(service, "9");
        let impossible = NameInfoFlags {
            numeric_host: true,
            name_required: true,
            ..NameInfoFlags::NUMERIC
        };
        let error = getnameinfo(address, impossible).await.unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    });
}

#[test]
fn a_name_that_does_not_exist_is_an_error_that_quotes_it() {
    run(|| async {
        // At a time, since the server for names may take long.
        let errors = gather((0..5).map(|n| async move {
            match n {
                0 => getaddrinfo(NO_SUCH_NAME, 80, AddrInfoHints::new()).await.err(),
                1 => TcpStream::connect((NO_SUCH_NAME, 80)).await.err(),
                2 => TcpListener::bind(format!("{NO_SUCH_NAME}:80")).await.err(),
                3 => UdpSocket::bind((NO_SUCH_NAME, 80)).await.err(),
                _ => TcpStream::connect(("", 80)).await.err(),
            }
            .unwrap()
        }));
        for (index, error) in errors.await.unwrap().iter().enumerate() {
            let inside = error.get_ref().unwrap().downcast_ref::<LookupError>().unwrap();
            assert_eq!(inside.name(), if index == 4 { "" } else { NO_SUCH_NAME });
            // A machine without a server for names cannot know that there is no such name.
            let kind = if inside.is_temporary() {
                io::ErrorKind::Other
            } else {
                io::ErrorKind::NotFound
            };
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(&format!("{:?}", inside.name())), "{error}");
        }
    });
}

#[test]
fn nonsense_is_not_looked_up() {
    run(|| async {
        let error = getaddrinfo("a\0b", 80, AddrInfoHints::new()).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = getaddrinfo("localhost", 80, AddrInfoHints::new().flags(-1))
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = getaddrinfo("localhost", "no such service", AddrInfoHints::new())
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

/// Knows one name, and counts how often it is asked.
struct OneName(Vec<Ipv4Addr>, Arc<AtomicUsize>);

impl Resolver for OneName {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            aioli::yield_now().await;
            match host {
                "one.name" => Ok(self.0.iter().map(|&ip| (ip, port).into()).collect()),
                "localhost" => SystemResolver.resolve(host, port).await,
                _ => Err(io::Error::new(io::ErrorKind::NotFound, "I know one name")),
            }
        })
    }
}

#[test]
fn a_resolver_of_the_programs_own_is_asked_for_names_only() {
    let asked = Arc::new(AtomicUsize::new(0));
    let resolver = OneName(vec![Ipv4Addr::LOCALHOST], asked.clone());
    let mut runner = Builder::new().resolver(resolver).build().unwrap();
    runner.run(async {
        let listener = TcpListener::bind("one.name:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect(("one.name", address.port())).await.unwrap();
        TcpStream::connect(("localhost", address.port())).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        TcpStream::connect(address).await.unwrap();
        TcpStream::connect(("127.0.0.1", address.port())).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        let error = TcpStream::connect("other.name:1").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::NotFound, "I know one name")
        );
    });
}

#[test]
fn a_resolver_can_be_replaced_while_it_is_asked() {
    run(|| async {
        let asked = Arc::new(AtomicUsize::new(0));
        let event_loop = EventLoop::current();
        event_loop.set_resolver(OneName(vec![Ipv4Addr::LOCALHOST], asked.clone()));
        let listener = TcpListener::bind("one.name:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut connecting = pin!(TcpStream::connect(("one.name", port)));
        assert!(poll_once(&mut connecting).await.is_none());
        event_loop.set_resolver(OneName(Vec::new(), asked.clone()));
        connecting.await.unwrap();
        let error = TcpStream::connect(("one.name", port)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        event_loop.set_resolver(SystemResolver);
        // Nothing of it is left.
        assert_eq!(Arc::strong_count(&asked), 1);
    });
}

/// Addresses of this machine at which nobody listens.
async fn refused(count: usize) -> Vec<SocketAddr> {
    let mut listeners = Vec::new();
    for _ in 0..count {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

#[test]
fn all_addresses_are_tried_and_all_errors_told() {
    run(|| async {
        let mut addresses = refused(3).await;
        for options in [
            ConnectOptions::new(),
            ConnectOptions::new().happy_eyeballs_delay(Duration::from_secs(30)),
            ConnectOptions::new().happy_eyeballs_delay(Duration::ZERO).interleave(0),
        ] {
            let error = options.connect(&addresses[..]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            let inside = error.get_ref().unwrap().downcast_ref::<ConnectError>().unwrap();
            let mut tried: Vec<_> = inside.attempts.iter().map(|(address, _)| *address).collect();
            tried.sort_unstable();
            addresses.sort_unstable();
            assert_eq!(tried, addresses);
            assert!(error.to_string().contains(&addresses[1].to_string()), "{error}");
            let error = options.connect(addresses[0]).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
            let error = options.connect(&[][..]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_that_does_not_answer_does_not_hold_up_the_others() {
    run(|| async {
        // Its backlog is full with the first, and so it does not answer the next.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&deaf, 0).unwrap();
        let silent = deaf.local_addr().unwrap();
        let _first = std::net::TcpStream::connect(silent).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = ConnectOptions::new().happy_eyeballs_delay(Duration::from_millis(1));
        let connecting = create_task(async move { options.connect(&[silent, address][..]).await });
        let stream = connecting.await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    });
}

#[test]
fn our_end_can_have_an_address() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let local = "127.0.0.2:0".parse().unwrap();
        let options = ConnectOptions::new().local_addr(local);
        let stream = options.connect(address).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), local.ip());
        let six: SocketAddr = "[::1]:9".parse().unwrap();
        let error = options.connect(six).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("127.0.0.2"), "{error}");
        let error = ConnectOptions::new()
            .local_addr(address)
            .connect(address)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    });
}
