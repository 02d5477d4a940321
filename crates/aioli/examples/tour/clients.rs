//! Those who talk to the service, under timeouts, and one that is cancelled.

use crate::since;
use aioli::{create_task, defer, interval_at, open_connection, sleep, wait_for};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How many questions each client asks, and how often.
pub const QUESTIONS: usize = 20;
const PERIOD: Duration = Duration::from_millis(60);

/// How long a client waits for an answer that does not matter, and for one that does.
pub const PATIENCE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(10);

/// Every so many clients ask a question that takes too long to answer.
const CURIOUS: usize = 40;

/// What a client has seen.
#[derive(Default)]
pub struct Visit {
    pub latencies: Vec<Duration>,
    pub gave_up: bool,
    pub failure: Option<io::Error>,
}

/// One client. The clients begin one after the other, spread over the first period.
pub async fn visit(address: SocketAddr, number: usize, clients: usize) -> Visit {
    let mut visit = Visit::default();
    let begin = Instant::now() + PERIOD * number as u32 / clients as u32;
    if let Err(error) = converse(address, number, begin, &mut visit).await {
        visit.failure = Some(error);
    }
    visit
}

async fn converse(address: SocketAddr, number: usize, begin: Instant, visit: &mut Visit) -> io::Result<()> {
    let mut clock = interval_at(begin, PERIOD);
    clock.tick().await;
    let (mut reader, writer) = wait_for(open_connection(address), LIMIT).await??;
    for question in 0..QUESTIONS {
        clock.tick().await;
        let start = Instant::now();
        writer.write(format!("client {number}, question {question}\n").as_bytes());
        let answer = wait_for(reader.readline(), LIMIT).await??;
        visit.latencies.push(since(start));
        if answer != format!("CLIENT {number}, QUESTION {question}\n").as_bytes() {
            let answer = String::from_utf8_lossy(&answer);
            return Err(io::Error::other(format!(
                "client {number} got a wrong answer: {answer:?}"
            )));
        }
    }
    if number % CURIOUS == 0 {
        writer.write(b"think about it\n");
        visit.gave_up = wait_for(reader.readline(), PATIENCE).await.is_err();
    }
    Ok(())
}

/// How a cancelled task ended.
pub struct Lease {
    /// What the service said when it got its lease back.
    pub answer: String,
    /// From the request to the end.
    pub elapsed: Duration,
}

/// Starts a task that takes a lease and keeps it, and cancels the task.
pub async fn cancel_a_leaseholder(address: SocketAddr) -> io::Result<Lease> {
    let (mut reader, writer) = open_connection(address).await?;
    let last_words = Arc::new(Mutex::new(String::new()));
    let heard = last_words.clone();
    let holder = create_task(async move {
        writer.write(b"take the lease\n");
        reader.readline().await?;
        // However this task ends from here on, this is done first, awaits and all.
        let _give_back = defer(async move {
            writer.write(b"give the lease back\n");
            let answer = reader.readline().await.unwrap_or_default();
            *heard.lock().unwrap() = String::from_utf8_lossy(&answer).trim_end().to_owned();
        });
        sleep(Duration::from_secs(3600)).await;
        io::Result::Ok(())
    });
    sleep(Duration::from_millis(600)).await;
    let start = Instant::now();
    holder.cancel();
    match holder.await {
        Err(error) if error.is_cancelled() => Ok(Lease {
            answer: last_words.lock().unwrap().clone(),
            elapsed: since(start),
        }),
        Err(error) => Err(io::Error::other(error.to_string())),
        Ok(result) => Err(result.err().unwrap_or_else(|| io::Error::other("an hour is over"))),
    }
}
