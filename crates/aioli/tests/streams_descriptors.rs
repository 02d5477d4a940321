//! Out of descriptors: a server keeps serving those it has, and recovers. Alone in its process, whose descriptors it
//! uses up.

use aioli::{StreamReader, StreamWriter, open_connection, start_server, wait_for};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::{fs::File, io, time::Duration};

const LIMIT: Duration = Duration::from_secs(60);

async fn echo(mut reader: StreamReader, writer: StreamWriter) {
    while let Ok(line @ [_, ..]) = reader.readline().await.as_deref() {
        writer.write(line);
    }
}

async fn round_trip(reader: &mut StreamReader, writer: &StreamWriter) {
    writer.write(b"hello\n");
    assert_eq!(reader.readline().await.unwrap(), b"hello\n");
}

/// Opens files until the system refuses.
fn use_up() -> Vec<File> {
    let mut files = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => {
                assert_eq!(Errno::from_io_error(&error), Some(Errno::MFILE));
                return files;
            }
        }
    }
}

#[test]
fn a_server_out_of_descriptors_serves_those_it_has_and_recovers() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(100);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();

    let test = async {
        let server = start_server(echo, "127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let (mut old_reader, old_writer) = open_connection(address).await.unwrap();
        round_trip(&mut old_reader, &old_writer).await;

        // One is left for the client, and none for the server's end of it.
        let mut files = use_up();
        files.pop();
        let (mut new_reader, new_writer) = open_connection(address).await.unwrap();
        new_writer.write(b"hello\n");
        for _ in 0..1000 {
            round_trip(&mut old_reader, &old_writer).await;
        }
        assert_eq!(server.connections(), 1);
        let refused = open_connection(address).await.unwrap_err();
        assert_eq!(Errno::from_io_error(&refused), Some(Errno::MFILE));

        // The server accepts again without being told, and nobody has been lost.
        files.clear();
        assert_eq!(new_reader.readline().await.unwrap(), b"hello\n");
        assert_eq!(server.connections(), 2);
        let (mut third_reader, third_writer) = open_connection(address).await.unwrap();
        round_trip(&mut third_reader, &third_writer).await;
        assert!(server.is_serving());

        drop((
            old_reader,
            old_writer,
            new_reader,
            new_writer,
            third_reader,
            third_writer,
        ));
        server.close();
        server.wait_closed().await;
        io::Result::Ok(())
    };
    aioli::run(async { wait_for(test, LIMIT).await.expect("the test hangs") }).unwrap();
}
