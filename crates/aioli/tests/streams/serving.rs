//! Servers: whom they serve and until when, handlers that panic, and addresses.

use crate::{pair, run, shout};
use aioli::{
    EventLoop, StreamReader, StreamWriter, create_task, gather, open_connection, start_server, streams::Address,
    wait_for, yield_now,
};
use futures_lite::future::poll_once;
use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Asks on a connection of its own.
async fn ask(address: SocketAddr, question: &str) -> io::Result<String> {
    let (mut reader, writer) = open_connection(address).await?;
    writer.write(format!("{question}\n").as_bytes());
    let answer = reader.readline().await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[test]
fn a_server_serves_many_clients_at_a_time() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let answers = gather((0..200).map(|n| async move { ask(address, &format!("client {n}")).await.unwrap() }));
        for (n, answer) in answers.await.unwrap().into_iter().enumerate() {
            assert_eq!(answer, format!("CLIENT {n}\n"));
        }
        server.close();
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn a_closed_server_refuses_and_waits_for_those_it_has() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let (mut reader, writer) = open_connection(address).await.unwrap();
        writer.write(b"still here\n");
        assert_eq!(reader.readline().await.unwrap(), b"STILL HERE\n");
        assert!(server.is_serving());

        let server = Arc::new(server);
        let forever = create_task({
            let server = server.clone();
            async move { server.serve_forever().await }
        });
        yield_now().await;
        server.close();
        forever.await.unwrap().unwrap();
        assert!(!server.is_serving());
        let refused = open_connection(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        assert!(poll_once(pin!(server.wait_closed())).await.is_none());
        writer.write(b"and served\n");
        assert_eq!(reader.readline().await.unwrap(), b"AND SERVED\n");
        drop((reader, writer));
        server.wait_closed().await;
    });
}

#[test]
fn a_server_that_is_dropped_or_whose_serve_forever_is_cancelled_is_closed() {
    run(|| async {
        let dropped = start_server(shout, "127.0.0.1:0").await.unwrap();
        let first = dropped.local_addr();
        drop(dropped);

        let cancelled = start_server(shout, "127.0.0.1:0").await.unwrap();
        let second = cancelled.local_addr();
        assert!(
            wait_for(cancelled.serve_forever(), Duration::from_millis(1))
                .await
                .is_err()
        );
        cancelled.wait_closed().await;

        for address in [first, second] {
            // The first may take the loop another turn.
            while open_connection(address).await.is_ok() {
                yield_now().await;
            }
        }
    });
}

#[test]
fn a_handler_that_panics_ends_alone_and_is_reported() {
    run(|| async {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let heard = reports.clone();
        EventLoop::current().set_exception_handler(move |panic| heard.lock().unwrap().push(panic.message().to_owned()));

        // Before its first await, and after it.
        let early = |_, _| -> std::future::Ready<()> { panic!("early") };
        let early = start_server(early, "127.0.0.1:0").await.unwrap();
        let late = |mut reader: StreamReader, writer: StreamWriter| async move {
            let line = reader.readline().await.unwrap();
            writer.write(&line);
            assert_eq!(line, b"good\n", "late");
        };
        let late = start_server(late, "127.0.0.1:0").await.unwrap();

        for _ in 0..2 {
            assert_eq!(ask(early.local_addr(), "anybody?").await.unwrap_or_default(), "");
            // What it had written is delivered all the same.
            assert_eq!(ask(late.local_addr(), "bad").await.unwrap(), "bad\n");
        }
        assert_eq!(ask(late.local_addr(), "good").await.unwrap(), "good\n");
        for server in [early, late] {
            server.close();
            server.wait_closed().await;
        }
        let reports = reports.lock().unwrap();
        assert_eq!(reports.iter().filter(|message| *message == "early").count(), 2);
        assert_eq!(reports.iter().filter(|message| message.contains("late")).count(), 2);
    });
}

#[test]
fn an_address_in_use_is_an_error() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        let again = start_server(shout, server.local_addr()).await.unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn what_is_no_address_is_an_error() {
    run(|| async {
        for text in ["127.0.0.1", "here", "127.0.0.1:port"] {
            assert_eq!(
                start_server(shout, text).await.unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
            assert_eq!(
                open_connection(text).await.unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
        let none: &[SocketAddr] = &[];
        assert_eq!(
            start_server(shout, none).await.unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    });
}

#[test]
fn a_server_may_have_several_addresses() {
    run(|| async {
        let two: [SocketAddr; 2] = ["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
        let server = start_server(shout, &two[..]).await.unwrap();
        let addresses: Vec<_> = server.sockets().iter().filter_map(Address::as_ip).collect();
        assert_eq!(addresses.len(), 2);
        assert_eq!(server.local_addr(), addresses[0]);
        for address in addresses {
            assert_eq!(ask(address, "hello").await.unwrap(), "HELLO\n");
        }
        server.close();
        assert!(server.sockets().is_empty());
        server.wait_closed().await;
    });
}

#[test]
fn both_ends_know_their_addresses() {
    run(|| async {
        let (reader, writer, peer) = pair().await;
        let expected = (peer.peer_addr().unwrap(), peer.local_addr().unwrap());
        for info in [reader.get_extra_info(), writer.get_extra_info()] {
            let ends = (info.sockname.unwrap(), info.peername.unwrap());
            assert_eq!((ends.0.as_ip().unwrap(), ends.1.as_ip().unwrap()), expected);
        }
    });
}
