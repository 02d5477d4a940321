//! Sockets and streams in combinators: what a server does for each of its clients.

use crate::common::run;
use crate::{LONG, WORKERS};
use aioli::{
    BoxError, StreamReader, StreamWriter, TaskGroup, catch_cancelled, closing, create_task, defer, finally,
    open_connection, race, sleep, start_server, timeout, try_gather, uncancellable,
};

async fn serve(mut reader: StreamReader, writer: StreamWriter) {
    let echoed: Result<(), BoxError> = async {
        loop {
            let line = timeout(LONG, reader.readline()).await??;
            if line.is_empty() {
                return Ok(());
            }
            uncancellable(async {
                writer.write(&line);
                writer.drain().await
            })
            .await?;
        }
    }
    .await;
    echoed.unwrap();
}

async fn ask(port: u16, question: &[u8]) -> Result<Vec<u8>, BoxError> {
    let (mut reader, writer) = open_connection(("127.0.0.1", port)).await?;
    let answer = finally(
        catch_cancelled(async {
            writer.write(question);
            race((
                async {
                    writer.drain().await?;
                    Ok::<_, BoxError>(reader.readline().await?)
                },
                async {
                    sleep(LONG).await;
                    Err("too late".into())
                },
            ))
            .await
        }),
        async {},
    )
    .await;
    match answer {
        Ok(answer) => answer,
        Err(cancelled) => match cancelled.resume().await {},
    }
}

#[test]
fn a_server_and_its_clients() {
    for workers in WORKERS {
        run(workers, async {
            let program = create_task(async {
                let server = start_server(serve, ("127.0.0.1", 0)).await?;
                let port = server.local_addr().port();
                let _over = defer(async {});
                let answers = TaskGroup::scope(async |group| {
                    let child = group.create_task(ask(port, b"one\n"))?;
                    let (two, three) = try_gather((ask(port, b"two\n"), ask(port, b"three\n"))).await?;
                    Ok([child.await??, two, three])
                });
                let answers = timeout(LONG, answers).await??;
                let server = closing(server, |server| async move {
                    drop(server);
                });
                server.close().await;
                Ok::<_, BoxError>(answers)
            });
            assert_eq!(program.await.unwrap().unwrap().concat(), b"one\ntwo\nthree\n");
        });
    }
}
