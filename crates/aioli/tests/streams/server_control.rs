//! What a server can do about its clients and itself, besides being closed.

use crate::{MUCH, pair, pattern, run, shout};
use aioli::{
    Event, EventLoop, StreamReader, StreamWriter, all_tasks, current_task, net::TcpListener, open_connection,
    start_server, start_server_on, yield_now,
};
use std::{
    future::pending,
    io,
    net::{Shutdown, SocketAddr},
    sync::{Arc, Mutex},
};

/// A handler that waits for nothing its client does.
async fn deaf(_reader: StreamReader, writer: StreamWriter) {
    writer.write(pattern(MUCH));
    pending::<()>().await;
}

#[test]
fn closing_the_clients_sends_what_was_written_and_ends_them() {
    run(|| async {
        let server = start_server(deaf, "127.0.0.1:0").await.unwrap();
        let (mut reader, _writer) = open_connection(server.local_addr()).await.unwrap();
        assert_eq!(reader.readexactly(1).await.unwrap(), pattern(1));
        server.close_clients();
        let rest = reader.read_to_eof().await.unwrap();
        assert!(rest == pattern(MUCH)[1..]);
        // The server goes on.
        let (mut another, _writer) = open_connection(server.local_addr()).await.unwrap();
        assert_eq!(another.readexactly(1).await.unwrap(), pattern(1));
        assert_eq!(
            server.connections(),
            1,
            "the first was closed, though its handler holds it"
        );
    });
}

#[test]
fn aborting_the_clients_loses_what_is_unsent() {
    run(|| async {
        let server = start_server(deaf, "127.0.0.1:0").await.unwrap();
        let (mut reader, _writer) = open_connection(server.local_addr()).await.unwrap();
        assert_eq!(reader.readexactly(1).await.unwrap(), pattern(1));
        server.abort_clients();
        let mut got = 1;
        let mut buffer = vec![0; 1 << 20];
        // An end or a reset, but not everything.
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            got += count;
        }
        assert!(got < MUCH);
    });
}

#[test]
fn the_clients_hear_of_the_end_and_the_server_of_theirs() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        let mut clients = Vec::new();
        for _ in 0..10 {
            let (mut reader, writer) = open_connection(server.local_addr()).await.unwrap();
            writer.write(b"hello\n");
            assert_eq!(reader.readline().await.unwrap(), b"HELLO\n");
            clients.push((reader, writer));
        }
        server.close();
        assert_eq!(server.connections(), 10);
        server.close_clients();
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
        for (reader, _writer) in &mut clients {
            assert_eq!(reader.readline().await.unwrap(), b"");
        }
    });
}

#[test]
fn serving_can_be_put_off() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").start_serving(false).await.unwrap();
        assert!(!server.is_serving());
        assert_eq!(server.sockets().len(), 1);
        // The system takes the connection, and nobody else.
        let (mut reader, writer) = open_connection(server.local_addr()).await.unwrap();
        writer.write(b"hello\n");
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(server.connections(), 0);
        server.start_serving();
        server.start_serving();
        assert!(server.is_serving());
        assert_eq!(reader.readline().await.unwrap(), b"HELLO\n");
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn a_server_that_never_served_can_be_closed() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").start_serving(false).await.unwrap();
        let address = server.local_addr();
        server.close();
        server.wait_closed().await;
        server.start_serving();
        assert!(!server.is_serving());
        assert_eq!(
            server.serve_forever().await.unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        let refused = open_connection(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_closed_server_refuses_at_once() {
    run(|| async {
        for _ in 0..20 {
            let server = start_server(shout, "127.0.0.1:0").await.unwrap();
            yield_now().await;
            server.close();
            let refused = open_connection(server.local_addr()).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn an_aborted_writer_is_closed_and_no_failure() {
    run(|| async {
        let (mut reader, writer, _peer) = pair().await;
        writer.write(pattern(MUCH));
        assert!(writer.unsent() > 0);
        writer.abort();
        assert_eq!(writer.unsent(), 0);
        assert!(writer.is_closing());
        writer.wait_closed().await.unwrap();
        assert_eq!(
            writer.drain().await.unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
        assert_eq!(reader.read_to_eof().await.unwrap(), b"");
        writer.write(b"too late");
        assert_eq!(writer.drain().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn nobody_waits_for_the_handlers_of_connections_that_were_aborted() {
    run(|| async {
        let server = start_server(deaf, "127.0.0.1:0").await.unwrap();
        let (mut reader, _writer) = open_connection(server.local_addr()).await.unwrap();
        assert_eq!(reader.readexactly(1).await.unwrap(), pattern(1));
        server.close();
        server.abort_clients();
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn who_cancels_all_tasks_does_not_cancel_what_they_need() {
    run(|| async {
        async fn much(_reader: StreamReader, writer: StreamWriter) {
            writer.write(pattern(MUCH));
        }
        let server = start_server(much, "127.0.0.1:0").await.unwrap();
        let (mut reader, _writer) = open_connection(server.local_addr()).await.unwrap();
        assert_eq!(reader.readexactly(1).await.unwrap(), pattern(1));
        let this = current_task().unwrap();
        for task in all_tasks() {
            if task.id() != this.id() {
                task.cancel();
            }
        }
        let rest = reader.read_to_eof().await.unwrap();
        assert!(rest == pattern(MUCH)[1..], "what was written is sent");
        assert!(server.is_serving());
        let (mut another, _writer) = open_connection(server.local_addr()).await.unwrap();
        assert_eq!(another.readexactly(1).await.unwrap(), pattern(1));
    });
}

#[test]
fn an_address_that_is_not_there_is_passed_over() {
    run(|| async {
        // Of a network that is for documentation only.
        let two: [SocketAddr; 2] = ["192.0.2.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
        let server = start_server(shout, &two[..]).await.unwrap();
        assert_eq!(server.sockets().len(), 1);
        assert!(server.local_addr().ip().is_loopback());
        let none = start_server(shout, two[0]).await.unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn a_listener_that_fails_for_good_is_reported() {
    run(|| async {
        let (told, mut reports) = (Arc::new(Event::new()), Vec::new());
        let texts = Arc::new(Mutex::new(Vec::new()));
        let (theirs, to_tell) = (texts.clone(), told.clone());
        EventLoop::current().set_exception_handler(move |error| {
            theirs.lock().unwrap().push(error.to_string());
            to_tell.set();
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let again = socket2::SockRef::from(&listener).try_clone().unwrap();
        let server = start_server_on(shout, listener).await.unwrap();
        yield_now().await;
        again.shutdown(Shutdown::Both).unwrap();
        assert!(server.serve_forever().await.is_err());
        told.wait().await;
        reports.append(&mut texts.lock().unwrap());
        assert!(reports[0].contains("a server stops accepting"), "{reports:?}");
    });
}

#[test]
fn a_server_may_begin_to_serve_from_any_thread() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").start_serving(false).await.unwrap();
        let server = Arc::new(server);
        let theirs = server.clone();
        aioli::to_thread(move || theirs.start_serving()).await.unwrap();
        assert!(server.is_serving());
        let (mut reader, writer) = open_connection(server.local_addr()).await.unwrap();
        writer.write(b"hello\n");
        assert_eq!(reader.readline().await.unwrap(), b"HELLO\n");
    });
}
