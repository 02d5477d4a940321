//! A tour of aioli in about two seconds: a service and a thousand clients, timers, callbacks, a blocking call, and a
//! cancelled task that cleans up over the network, all at the same time.
//!
//! ```sh
//! cargo run --release --example tour
//! AIOLI_WORKERS=1 cargo run --release --example tour
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `main` | the story: what runs at the same time, and the summary |
//! | `service` | the TCP service, with a task for each connection |
//! | `clients` | those who talk to it, under timeouts, and one that is cancelled |
//! | `chores` | timers, an interval, and something to compute |
//! | `screen` | progress while it works, and how figures are written |

mod chores;
mod clients;
mod screen;
mod service;

use aioli::{EventLoop, create_task, gather, to_thread};
use clients::Visit;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use screen::{Progress, Quantiles, grouped, millis};
use std::{
    env, io,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const CLIENTS: usize = 1_000;
const TIMERS: usize = 10_000;
const PRIMES_BELOW: usize = 5_000_000;

fn main() -> ExitCode {
    if env::args().len() > 1 {
        eprintln!("usage: tour");
        return ExitCode::from(2);
    }
    match aioli::run(tour()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tour: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn tour() -> io::Result<()> {
    let start = Instant::now();
    let workers = match EventLoop::current().workers() {
        1 => "1 worker".to_owned(),
        workers => format!("{workers} workers"),
    };
    let clients = affordable_clients();
    println!(
        "aioli tour: {} clients and {} timers on {workers}",
        grouped(clients),
        grouped(TIMERS)
    );

    // A service. It runs until it is closed.
    let progress = Arc::new(Progress::new(clients * clients::QUESTIONS, TIMERS));
    let server = service::start(progress.clone()).await?;
    let address = server.local_addr();

    // All of this runs at the same time, from the moment it is created.
    let ticks = create_task(chores::tick(progress.clone()));
    let timers = gather((0..TIMERS).map(|number| chores::timer(number, progress.clone())));
    let primes = to_thread(|| chores::count_primes(PRIMES_BELOW));
    let satisfied = Arc::new(AtomicUsize::new(0));
    let visits = gather((0..clients).map(|number| {
        let client = create_task(clients::visit(address, number, clients));
        let satisfied = satisfied.clone();
        // A callback: a task that waits for something to happen, and then does something about it.
        create_task(async move {
            let visit = client.await.expect("clients do not panic");
            satisfied.fetch_add(usize::from(visit.failure.is_none()), Ordering::Relaxed);
            visit
        })
    }));
    let lease = clients::cancel_a_leaseholder(address).await?;

    // And here they come in.
    let visits: Vec<Visit> = visits.await.expect("callbacks do not panic");
    let lateness = timers.await.expect("timers do not panic");
    let primes = primes.await.expect("counting does not panic");
    progress.finish();
    let ticks = ticks.await.expect("the clock does not panic");
    server.close();
    server.wait_closed().await;

    let latencies = visits
        .iter()
        .flat_map(|visit| visit.latencies.iter().copied())
        .collect();
    let given_up = visits.iter().filter(|visit| visit.gave_up).count();
    let slow = millis(clients::PATIENCE);
    println!();
    println!(
        "  service    {} answers, {} connections at a time",
        grouped(progress.answers()),
        grouped(progress.most_connections())
    );
    println!("  latency    {}", Quantiles::of(latencies));
    println!("  timeouts   {given_up} questions took too long, and were given up after {slow}");
    println!(
        "  timers     {} sleeps; late by {}",
        grouped(TIMERS),
        Quantiles::of(lateness)
    );
    println!(
        "  interval   {} ticks of {}; late by {}",
        ticks.len(),
        millis(chores::TICK),
        Quantiles::of(ticks)
    );
    println!(
        "  callbacks  {} called, one for each client who was satisfied",
        grouped(satisfied.load(Ordering::Relaxed))
    );
    println!(
        "  blocking   {} primes below {} counted on a thread, in {}",
        grouped(primes.count),
        grouped(PRIMES_BELOW),
        millis(primes.elapsed)
    );
    println!(
        "  cancelled  a task that held a lease and slept for an hour; it gave the lease back,\n             \
         heard {:?}, and was gone after {}",
        lease.answer,
        millis(lease.elapsed)
    );
    println!("  closed     the server, behind its last connection");
    println!("\nAll of it in {:.2} s on {workers}.", start.elapsed().as_secs_f64());

    let mut failures = visits.iter().filter_map(|visit| visit.failure.as_ref());
    match (failures.next(), failures.count()) {
        (None, _) => Ok(()),
        (Some(first), more) => Err(io::Error::other(format!("a client failed: {first} (and {more} more)"))),
    }
}

/// How many clients this process may have descriptors for, after it has asked for more. Each has two ends here.
fn affordable_clients() -> usize {
    let wanted = 2 * CLIENTS as u64 + 64;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let mut current = limit.current.unwrap_or(u64::MAX);
    if current < wanted {
        let raised = Rlimit {
            current: Some(wanted.min(most)),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            current = wanted.min(most);
        }
    }
    let clients = CLIENTS.min((current.saturating_sub(64) / 2) as usize);
    if clients < CLIENTS {
        println!("(This system allows a process {current} descriptors, so there are fewer clients than {CLIENTS}.)");
    }
    clients
}

/// How long ago something was.
fn since(start: Instant) -> Duration {
    Instant::now().saturating_duration_since(start)
}
