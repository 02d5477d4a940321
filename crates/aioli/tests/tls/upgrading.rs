//! Going over to TLS on a live connection.

use super::*;

#[test]
fn a_live_connection_goes_over_to_tls() {
    run(|| async {
        let (connector, acceptor) = ends();
        let handler = move |mut reader: StreamReader, writer: StreamWriter| {
            let acceptor = acceptor.clone();
            async move {
                assert_eq!(reader.readline().await.unwrap(), b"STARTTLS\n");
                writer.write(b"go ahead\n");
                let (reader, writer) = start_tls(reader, writer, acceptor).await.unwrap();
                echo(reader, writer).await;
            }
        };
        let server = start_server(handler, "127.0.0.1:0").await.unwrap();
        let (mut reader, writer) = open_connection(server.local_addr()).await.unwrap();
        writer.write(b"STARTTLS\n");
        assert_eq!(reader.readline().await.unwrap(), b"go ahead\n");
        assert!(writer.get_extra_info().tls.is_none());
        let (mut reader, writer) = start_tls(reader, writer, (connector, "localhost")).await.unwrap();
        assert!(writer.get_extra_info().tls.is_some());
        writer.write(b"secret\n");
        writer.write_eof();
        assert_eq!(reader.read_to_eof().await.unwrap(), b"secret\n");
    });
}

#[test]
fn a_client_that_does_not_wait_for_the_answer_is_understood() {
    run(|| async {
        let (connector, acceptor) = ends();
        let handler = move |mut reader: StreamReader, writer: StreamWriter| {
            let acceptor = acceptor.clone();
            async move {
                assert_eq!(reader.readline().await.unwrap(), b"STARTTLS\n");
                // The reader may have read the beginning of the handshake by now.
                let (reader, writer) = start_tls(reader, writer, acceptor).await.unwrap();
                echo(reader, writer).await;
            }
        };
        let server = start_server(handler, "127.0.0.1:0").await.unwrap();
        let (reader, writer) = open_connection(server.local_addr()).await.unwrap();
        writer.write(b"STARTTLS\n");
        let (mut reader, writer) = start_tls(reader, writer, (connector, "localhost")).await.unwrap();
        writer.write(&pattern(100_000));
        writer.write_eof();
        assert!(reader.read_to_eof().await.unwrap() == pattern(100_000));
    });
}
