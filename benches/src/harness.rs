//! Who is measured when: rows one after the other, and within a row all peers in turn, round by round, so that whatever
//! else the machine does meets them alike. Each sample is taken in a child process, whose runtime, heap and processor
//! time are its alone.
//!
//! A child is this program with `--child ROW PEER`. It prints one line: `figures` and the numbers, or `skipped` and why.

use std::io::{IsTerminal, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, io, thread};

use crate::peers::PeerId;
use crate::rows::{Metric, NoSample, Row, Sample, Setting};

/// After this long a child hangs, and is ended.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to measure.
pub struct Plan {
    /// The columns.
    pub peers: Vec<PeerId>,
    /// Only rows with one of these in their name; all rows if there are none.
    pub only: Vec<String>,
    /// Samples per cell.
    pub rounds: usize,
    /// Worker threads, for the peers that have more than one.
    pub workers: usize,
    /// Only a fraction of the work, to see that it runs.
    pub quick: bool,
}

/// A row with the samples of all its peers.
pub struct Measured {
    /// Name of the row.
    pub name: &'static str,
    /// What was measured.
    pub metrics: Vec<Metric>,
    /// A cell per peer that has this row.
    pub cells: Vec<Cell>,
}

/// The samples of one peer in one row.
pub struct Cell {
    /// Whose they are.
    pub peer: PeerId,
    /// One per round, a figure per metric in each.
    pub samples: Vec<Vec<f64>>,
    /// Why there are no more samples.
    pub trouble: Option<NoSample>,
}

impl Plan {
    /// One for each column.
    pub fn settings(&self) -> impl Iterator<Item = Setting> {
        self.peers.iter().map(|&peer| Setting {
            peer,
            workers: self.workers,
            quick: self.quick,
        })
    }

    /// Names of the rows to measure, in the order of the table.
    pub fn row_names(&self) -> Vec<&'static str> {
        let mut rows = PeerId::Tokio.rows();
        rows.retain(|row| self.only.is_empty() || self.only.iter().any(|part| row.name.contains(part)));
        rows.iter().map(|row| row.name).collect()
    }

    /// Measures everything; reports progress on standard error.
    pub fn run(&self) -> Vec<Measured> {
        self.row_names().into_iter().map(|name| self.measure(name)).collect()
    }

    fn measure(&self, name: &'static str) -> Measured {
        let taking_part = self.peers.iter().filter(|peer| row_of(**peer, name).is_some());
        let mut cells: Vec<_> = taking_part
            .map(|&peer| Cell {
                peer,
                samples: Vec::new(),
                trouble: None,
            })
            .collect();
        for round in 1..=self.rounds {
            show_progress(&format!("{name}: round {round} of {}", self.rounds));
            for cell in cells.iter_mut().filter(|cell| cell.trouble.is_none()) {
                match self.sample(name, cell.peer) {
                    Ok(figures) => cell.samples.push(figures),
                    Err(trouble) => {
                        show_progress("");
                        eprintln!("{name}, {}: {trouble:?}", cell.peer.name());
                        cell.trouble = Some(trouble);
                    }
                }
            }
        }
        show_progress("");
        let metrics = row_of(PeerId::Tokio, name).expect("tokio has all rows").metrics;
        Measured { name, metrics, cells }
    }

    /// Takes one sample, in a child process.
    fn sample(&self, row: &str, peer: PeerId) -> Sample {
        let mut command = Command::new(env::current_exe()?);
        command.args([
            "--child",
            row,
            peer.name(),
            "--workers",
            &peer.workers(self.workers).to_string(),
        ]);
        command.args(self.quick.then_some("--quick"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let answer = answer_in_time(child)?;
        match answer.trim_end().split_once(' ') {
            Some(("figures", numbers)) => Ok(numbers.split(' ').filter_map(|number| number.parse().ok()).collect()),
            Some(("skipped", why)) => Err(NoSample::Skipped(why.to_owned())),
            _ => Err(NoSample::Failed(
                "the measuring process ended without figures".to_owned(),
            )),
        }
    }
}

/// Takes the sample that a parent asked for, and prints it as described above.
pub fn be_child(row: &str, setting: &Setting) -> ExitCode {
    let Some(row) = row_of(setting.peer, row) else {
        eprintln!("{} has no row {row}", setting.peer.name());
        return ExitCode::FAILURE;
    };
    match (row.measure)(setting) {
        Ok(figures) => {
            assert_eq!(figures.len(), row.metrics.len(), "a figure per metric");
            println!(
                "figures {}",
                figures.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
            );
            ExitCode::SUCCESS
        }
        Err(NoSample::Skipped(why)) => {
            println!("skipped {}", why.replace('\n', " "));
            ExitCode::SUCCESS
        }
        Err(NoSample::Failed(why)) => {
            eprintln!("{}: {why}", row.name);
            ExitCode::FAILURE
        }
    }
}

/// Replaces the last line of the terminal, if there is one.
fn show_progress(line: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

fn row_of(peer: PeerId, name: &str) -> Option<Row> {
    peer.rows().into_iter().find(|row| row.name == name)
}

/// All that a child prints, or an error if it takes too long. (A thread reads, so nobody has to look at the clock while
/// the child measures.)
fn answer_in_time(mut child: Child) -> io::Result<String> {
    let mut output = child.stdout.take().expect("piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = String::new();
        let outcome = output.read_to_string(&mut answer).map(|_| answer);
        // Nobody listens any more after a timeout.
        let _ = sender.send(outcome);
    });
    let answer = receiver.recv_timeout(PATIENCE);
    if answer.is_err() {
        child.kill()?;
    }
    child.wait()?;
    answer.unwrap_or_else(|_| Err(io::Error::other(format!("no answer within {} s", PATIENCE.as_secs()))))
}
