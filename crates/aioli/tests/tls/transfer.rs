//! Bytes arrive as they were written, and so do the ends.

use super::*;
use aioli::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn much_goes_both_ways_at_once_and_then_one_way_ends() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = echo_server(acceptor).await;
        let (mut reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        let bytes = Arc::new(pattern(8 << 20));
        let sending = aioli::create_task({
            let bytes = bytes.clone();
            async move {
                for piece in bytes.chunks(100_000) {
                    writer.write(piece);
                    writer.drain().await.unwrap();
                }
                writer.write_eof();
                writer
            }
        });
        let got = reader.read_to_eof().await.unwrap();
        assert!(got == *bytes);
        let writer = sending.await.unwrap();
        writer.close();
        writer.wait_closed().await.unwrap();
        server.close();
        server.wait_closed().await;
    });
}

#[test]
fn futures_io_goes_through() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = echo_server(acceptor).await;
        let (mut reader, mut writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        let bytes = pattern(3 << 20);
        let sending = async {
            writer.write_all(&bytes).await.unwrap();
            writer.flush().await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
        };
        let mut got = Vec::new();
        let reading = async { AsyncReadExt::read_to_end(&mut reader, &mut got).await.unwrap() };
        futures_lite::future::zip(sending, reading).await;
        assert!(got == bytes);
    });
}

#[test]
fn many_small_writes_arrive_in_order() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = echo_server(acceptor).await;
        let (mut reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        for number in 0..20_000_u32 {
            writer.write(number.to_be_bytes());
        }
        for number in 0..20_000_u32 {
            assert_eq!(reader.readexactly(4).await.unwrap(), number.to_be_bytes());
        }
    });
}

#[test]
fn what_is_written_before_a_drop_arrives() {
    run(|| async {
        let (connector, acceptor) = ends();
        let handler = |reader, writer: StreamWriter| async move {
            writer.write(pattern(5 << 20));
            // The reader lives until the client has everything.
            drop(writer);
            let mut reader: StreamReader = reader;
            drop(reader.read_to_eof().await);
        };
        let server = start_server(handler, "127.0.0.1:0").tls(acceptor).await.unwrap();
        let (mut reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        assert!(reader.read_to_eof().await.unwrap() == pattern(5 << 20));
        writer.close();
        server.close();
        server.wait_closed().await;
    });
}

/// A server that only reads: says when it begins, and what it got.
async fn sink(acceptor: TlsAcceptor) -> (Server, Arc<aioli::Event>, Arc<Mutex<Option<io::Result<Vec<u8>>>>>) {
    let (begun, got) = (Arc::new(aioli::Event::new()), Arc::new(Mutex::new(None)));
    let handler = {
        let (begun, got) = (begun.clone(), got.clone());
        move |mut reader: StreamReader, _writer| {
            let (begun, got) = (begun.clone(), got.clone());
            async move {
                begun.set();
                let result = reader.read_to_eof().await;
                *got.lock().unwrap() = Some(result);
            }
        }
    };
    let server = start_server(handler, "127.0.0.1:0").tls(acceptor).await.unwrap();
    (server, begun, got)
}

// In these two, the session tickets of the server, which nobody reads, must not make the system reset the connection.

#[test]
fn a_client_that_only_writes_loses_nothing() {
    run(|| async {
        let (connector, acceptor) = ends();
        let (server, _, got) = sink(acceptor).await;
        let (reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        writer.write(pattern(5 << 20));
        writer.close();
        writer.wait_closed().await.unwrap();
        drop((reader, writer));
        server.close();
        server.wait_closed().await;
        let got = got.lock().unwrap().take().unwrap();
        assert!(got.unwrap() == pattern(5 << 20));
    });
}

#[test]
fn a_client_that_only_writes_and_is_dropped_loses_nothing() {
    run(|| async {
        let (connector, acceptor) = ends();
        let (server, begun, got) = sink(acceptor).await;
        let (reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        begun.wait().await;
        writer.write(pattern(5 << 20));
        drop((reader, writer));
        while got.lock().unwrap().is_none() {
            aioli::yield_now().await;
        }
        let got = got.lock().unwrap().take().unwrap();
        assert!(got.unwrap() == pattern(5 << 20));
        drop(server);
    });
}

#[test]
fn what_was_agreed_on_is_known() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = echo_server(acceptor.alpn(["http/1.1"])).await;
        let connector = connector.alpn(["h2", "http/1.1"]);
        let (reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        let info = writer.get_extra_info();
        assert_eq!(info.peername.unwrap().as_ip(), Some(server.local_addr()));
        let tls = info.tls.unwrap();
        assert_eq!(tls.version, rustls::ProtocolVersion::TLSv1_3);
        assert_eq!(tls.alpn_protocol.as_deref(), Some(&b"http/1.1"[..]));
        assert_eq!(tls.peer_certificates.len(), 1);
        drop(reader);
    });
}
