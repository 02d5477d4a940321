//! One connection: a nickname, what it says, what it is told, and how it ends.

use crate::{
    LINE,
    room::{Room, Seat},
};
use aioli::{ReadError, StreamReader, StreamWriter, race, wait_for, yield_now};
use std::{io, sync::Arc, time::Duration};

/// How long a client may take to say its nickname.
const INTRODUCTION: Duration = Duration::from_secs(60);

/// How long a client that is sent away has to read why.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why a client goes.
enum Parting {
    Quit,
    /// It has ended the connection, or the connection has failed.
    Gone,
    Silent,
    LongLine,
    FellBehind,
    Closing,
}

impl From<ReadError> for Parting {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::LimitOverrun(_) => Self::LongLine,
            _ => Self::Gone,
        }
    }
}

impl From<io::Error> for Parting {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

pub async fn serve(room: Arc<Room>, mut reader: StreamReader, writer: StreamWriter) {
    let closed = async {
        room.closed().await;
        Parting::Closing
    };
    let parting = race((converse(&room, &mut reader, &writer), closed)).await;
    send_away(reader, writer, parting).await;
}

/// From the nickname to the reason to go. The place in the room is given up at the end.
async fn converse(room: &Arc<Room>, reader: &mut StreamReader, writer: &StreamWriter) -> Parting {
    let seat = match wait_for(introduce(room, reader, writer), INTRODUCTION).await {
        Ok(Ok(seat)) => seat,
        Ok(Err(parting)) => return parting,
        Err(_) => return Parting::Silent,
    };
    let fell_behind = async {
        seat.fell_behind().await;
        Parting::FellBehind
    };
    // All three at the same time, in this task. What the losers wait for, a line or room for one, they just no longer do.
    race((listen(&seat, reader, writer), speak(&seat, writer), fell_behind)).await
}

async fn introduce(room: &Arc<Room>, reader: &mut StreamReader, writer: &StreamWriter) -> Result<Seat, Parting> {
    writer.write(b"* your nickname, please\n");
    loop {
        match room.join(&line(reader).await?) {
            Ok(seat) => return Ok(seat),
            Err(problem) => writer.write(format!("* {problem}\n").as_bytes()),
        }
        writer.drain().await?;
    }
}

/// Passes on what the client says.
async fn listen(seat: &Seat, reader: &mut StreamReader, writer: &StreamWriter) -> Parting {
    loop {
        match line(reader).await {
            Ok(line) => match line.as_str() {
                "" => {}
                "/quit" => return Parting::Quit,
                "/who" => writer.write(seat.who().as_bytes()),
                command if command.starts_with('/') => writer.write(b"* there are /who and /quit\n"),
                text => seat.say(text),
            },
            Err(parting) => return parting,
        }
        // Who asks and asks, and does not read the answers, is asked no more.
        if writer.drain().await.is_err() {
            return Parting::Gone;
        }
        // A client that sends many lines at once lets the others be told of one before the next.
        yield_now().await;
    }
}

/// Tells the client what the others say, as fast as it reads.
async fn speak(seat: &Seat, writer: &StreamWriter) -> Parting {
    loop {
        writer.write(seat.next_line().await.as_bytes());
        // With more than 64 KiB unsent this waits, and the lines wait in the queue, which is bounded.
        if writer.drain().await.is_err() {
            return Parting::Gone;
        }
    }
}

/// A line, without its end, and without what could do something to the terminals of others.
async fn line(reader: &mut StreamReader) -> Result<String, Parting> {
    let line = reader.readline().await?;
    if line.is_empty() {
        return Err(Parting::Gone);
    }
    let text = String::from_utf8_lossy(&line);
    Ok(text
        .trim()
        .chars()
        .filter(|character| !character.is_control())
        .collect())
}

/// Says why, and waits until the client has read it and ends the connection. To close it at once, with something unread from the client, would
/// make the system throw away what is on its way.
async fn send_away(mut reader: StreamReader, writer: StreamWriter, parting: Parting) {
    match parting {
        Parting::Gone => return,
        Parting::Quit => writer.write(b"* goodbye\n"),
        Parting::Silent => writer.write(b"* nobody without a nickname; goodbye\n"),
        Parting::LongLine => writer.write(format!("* a line has up to {LINE} bytes; goodbye\n").as_bytes()),
        Parting::FellBehind => writer.write(b"* you fell behind; goodbye\n"),
        Parting::Closing => writer.write(b"* the room is closing; goodbye\n"),
    }
    writer.write_eof();
    let mut rest = [0; 1024];
    let gone = async { while matches!(reader.read(&mut rest).await, Ok(1..)) {} };
    if wait_for(gone, FAREWELL).await.is_err() {
        writer.abort();
    }
}
