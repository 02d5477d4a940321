//! Runs the commands of a file, several at a time, as `make -j` does.
//!
//! ```sh
//! cat > jobs <<'END'
//! # A target, what it needs, and its commands, which are indented.
//! all: one two
//!     cat one two
//! one:
//!     sleep 1; echo 1 > one
//! two:
//!     sleep 1; echo 2 > two
//! # Any other line is a command that needs nothing.
//! sleep 2
//! END
//! cargo run --release --example make_j -- -j 4 jobs
//! ```
//!
//! It runs all targets, or those that are named behind the file and what they need; always, for it does not look at dates. At most `-j N`
//! commands run at a time, by default as many as there are cores. What a command writes is kept together, and shown when it is over;
//! on a terminal the last line says what is running. At the first failure it stops what runs (`SIGTERM` to the process group of each
//! command, `SIGKILL` a second later), and so does Ctrl-C; with `-k` it goes on with whatever does not need what has failed.
//!
//! Its exit code is 0 if all went well, 2 if not, and 130 after Ctrl-C.
//!
//! It shows children that are killed and waited for however their task ends, a task group that ends at the first failure, promises
//! for what others wait for, and standard output that blocks nobody.
//!
//! | file | what it is |
//! |---|---|
//! | `main` | the command line, and Ctrl-C |
//! | `plan` | what is to be done: the file, read and checked |
//! | `runner` | a task for each target, and a child for each command |
//! | `screen` | what the user sees |

mod plan;
mod runner;
mod screen;

use aioli::{
    race,
    signal::{SignalKind, signal},
    to_thread,
};
use plan::Plan;
use runner::Runner;
use screen::Screen;
use std::{env, fs, num::NonZero, process::ExitCode, thread};

const USAGE: &str = "usage: make_j [-j N] [-k] FILE [TARGET...]";

const FAILED: u8 = 2;
const INTERRUPTED: u8 = 130;

struct Arguments {
    jobs: usize,
    keep_going: bool,
    file: String,
    targets: Vec<String>,
}

// It waits for others, and computes nothing: one thread is enough. And with one, tasks have their turns in the order of the file.
#[aioli::main(workers = 1)]
async fn main() -> ExitCode {
    let Some(arguments) = arguments(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match make(arguments).await {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("make_j: {problem}");
            ExitCode::from(FAILED)
        }
    }
}

fn arguments(mut args: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut jobs = thread::available_parallelism().map_or(1, NonZero::get);
    let (mut keep_going, mut names) = (false, Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-k" => keep_going = true,
            "-j" => jobs = args.next()?.parse().ok().filter(|jobs| *jobs > 0)?,
            _ if arg.starts_with('-') => return None,
            _ => names.push(arg),
        }
    }
    let mut names = names.into_iter();
    Some(Arguments {
        jobs,
        keep_going,
        file: names.next()?,
        targets: names.collect(),
    })
}

async fn make(arguments: Arguments) -> Result<ExitCode, String> {
    let Arguments {
        jobs,
        keep_going,
        file,
        targets,
    } = arguments;
    let (text, file) = to_thread(move || (fs::read_to_string(&file), file))
        .await
        .map_err(|error| error.to_string())?;
    let text = text.map_err(|error| format!("{file}: {error}"))?;
    let plan = Plan::read(&text, &targets).map_err(|problem| format!("{file}: {problem}"))?;
    let screen = Screen::new(plan.targets.len()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;

    let runner = Runner::new(plan, jobs, keep_going, screen);
    let all = async { Some(runner.run().await) };
    let signalled = async {
        race((interrupt.recv(), terminate.recv())).await;
        None
    };
    // If the signal wins, the run is cancelled, and the race is over when its children are.
    Ok(match race((all, signalled)).await {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::from(FAILED),
        None => {
            eprintln!("make_j: interrupted");
            ExitCode::from(INTERRUPTED)
        }
    })
}
