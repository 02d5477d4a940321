//! The TCP service: it answers lines.

use crate::screen::Progress;
use aioli::{Server, StreamReader, StreamWriter, sleep, start_server};
use std::{io, sync::Arc, time::Duration};

/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(250);

pub async fn start(progress: Arc<Progress>) -> io::Result<Server> {
    let handler = move |reader, writer| serve(reader, writer, progress.clone());
    start_server(handler, "127.0.0.1:0").await
}

/// Serves one client until it leaves.
async fn serve(mut reader: StreamReader, writer: StreamWriter, progress: Arc<Progress>) {
    let _connected = progress.connected();
    while let Ok(question @ [_, ..]) = reader.readline().await.as_deref() {
        match question {
            b"take the lease\n" => writer.write(b"it is yours\n"),
            b"give the lease back\n" => writer.write(b"thank you\n"),
            b"think about it\n" => {
                sleep(SLOW).await;
                writer.write(b"42\n");
            }
            _ => {
                writer.write(question.to_ascii_uppercase());
                progress.answered();
            }
        }
        if writer.drain().await.is_err() {
            return;
        }
    }
}
