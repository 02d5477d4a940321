//! Benchmarks of aioli beside tokio and smol, interleaved in one run. `docs/performance.md` says what the rows mean.
//!
//! This file knows the command line; [`harness`] decides who is measured when, [`rows`] holds the workloads, [`peers`]
//! the runtimes, and [`report`] the table; [`crowd`] is no row. Three options are for the processes that this program starts of itself:
//! `--child` takes one sample, `--serve` is the server of the network rows, and `--load` their load.

mod crowd;
mod harness;
mod load;
mod meter;
mod peers;
mod report;
mod rows;
mod server;

use std::process::ExitCode;

use harness::Plan;
use load::Load;
use peers::PeerId;
use rows::{NoSample, Setting};
use server::Idiom;

const USAGE: &str = "\
Measures aioli beside tokio and smol, and prints a table of medians.

  --rounds N      samples per cell (default 7)
  --only PATTERN  only rows whose names contain PATTERN (may be repeated)
  --peers LIST    only these columns, separated by commas (default: all)
  --workers N     worker threads of aioli, tokio and smol (default 2)
  --crowd SECONDS do something else: hold 10,000 idle and 500 busy connections, and
                  watch the memory and the descriptors of each server
  --quick         a fraction of the work, to see that everything runs
  --json          print JSON, with all samples
  --list          print the names of rows and columns
  --help          print this
";

/// What the command line asks for.
enum Task {
    Measure { plan: Plan, as_json: bool },
    List(Plan),
    Crowd { plan: Plan, seconds: u64 },
    Child { row: String, setting: Setting },
    Serve { setting: Setting, idiom: Idiom },
    Load { address: String, load: Load },
    Help,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(task) => run(task),
        Err(complaint) => {
            eprint!("{complaint}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(task: Task) -> ExitCode {
    match task {
        Task::Measure { plan, as_json } => measure(&plan, as_json),
        Task::List(plan) => {
            println!("rows: {}", plan.row_names().join(" "));
            println!("columns: {}", PeerId::ALL.map(PeerId::name).join(" "));
            ExitCode::SUCCESS
        }
        Task::Crowd { plan, seconds } => done(plan.settings().try_for_each(|setting| crowd::hold(&setting, seconds))),
        Task::Child { row, setting } => harness::be_child(&row, &setting),
        Task::Serve { setting, idiom } => done(setting.peer.serve(setting.workers, idiom)),
        Task::Load { address, load } => done(load.run(&address)),
        Task::Help => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
    }
}

/// Fails if a peer did not do its work, but not if the machine lacks something.
fn measure(plan: &Plan, as_json: bool) -> ExitCode {
    let measured = plan.run();
    if as_json {
        println!("{:#}", report::json(plan, &measured));
    } else {
        print!("{}", report::table(plan, &measured));
    }
    let mut cells = measured.iter().flat_map(|row| &row.cells);
    ExitCode::from(u8::from(
        cells.any(|cell| matches!(cell.trouble, Some(NoSample::Failed(_)))),
    ))
}

fn done(outcome: std::io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Task, String> {
    let mut plan = Plan {
        peers: PeerId::ALL.to_vec(),
        only: Vec::new(),
        rounds: 7,
        workers: 2,
        quick: false,
    };
    let (mut as_json, mut list) = (false, false);
    let (mut child, mut served, mut crowd) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--rounds" => plan.rounds = count(&value()?)?,
            "--workers" => plan.workers = count(&value()?)?,
            "--only" => plan.only.push(value()?),
            "--peers" => plan.peers = value()?.split(',').map(peer).collect::<Result<_, _>>()?,
            "--crowd" => crowd = Some(count(&value()?)? as u64),
            "--quick" => plan.quick = true,
            "--json" => as_json = true,
            "--list" => list = true,
            "--help" => return Ok(Task::Help),
            "--child" => child = Some((value()?, peer(&value()?)?)),
            "--serve" => served = Some((peer(&value()?)?, idiom(&value()?)?)),
            "--load" => {
                let address = value()?;
                let load = Load::from_arguments(&arguments.collect::<Vec<_>>()).ok_or("--load needs seven numbers")?;
                return Ok(Task::Load { address, load });
            }
            unknown => return Err(format!("unknown argument {unknown}")),
        }
    }
    let setting = |peer| Setting {
        peer,
        workers: plan.workers,
        quick: plan.quick,
    };
    Ok(match (child, served) {
        (Some((row, peer)), _) => Task::Child {
            row,
            setting: setting(peer),
        },
        (_, Some((peer, idiom))) => Task::Serve {
            setting: setting(peer),
            idiom,
        },
        _ if crowd.is_some() => Task::Crowd {
            plan,
            seconds: crowd.unwrap_or_default(),
        },
        _ if plan.row_names().is_empty() => return Err("no row has such a name; --list shows them".to_owned()),
        _ if list => Task::List(plan),
        _ => Task::Measure { plan, as_json },
    })
}

fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or(format!("{text} is not a positive number"))
}

fn peer(name: &str) -> Result<PeerId, String> {
    PeerId::named(name).ok_or(format!("unknown column {name}; --list shows them"))
}

fn idiom(name: &str) -> Result<Idiom, String> {
    Idiom::named(name).ok_or(format!("no echo server is written in the idiom {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Task, String> {
        parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_shape_the_plan() {
        let parsed = parse_words("--rounds 3 --peers tokio,smol --only echo_5 --only yield --workers 4 --quick --json");
        let Ok(Task::Measure { plan, as_json: true }) = parsed else {
            panic!("a plan, as JSON")
        };
        assert_eq!((plan.rounds, plan.workers, plan.quick), (3, 4, true));
        assert_eq!(plan.peers, [PeerId::Tokio, PeerId::Smol]);
        assert_eq!(
            plan.row_names(),
            ["yield", "echo_50", "echo_500", "echo_50_16k", "echo_500_16k"]
        );
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        let complaint = |words| parse_words(words).err().unwrap_or_default();
        assert!(complaint("--rounds 0").contains("positive"));
        assert!(complaint("--workers many").contains("positive"));
        assert!(complaint("--rounds").contains("needs a value"));
        assert!(complaint("--peers tokio,glommio").contains("glommio"));
        assert!(complaint("--only nothing").contains("--list"));
        assert!(complaint("--fast").contains("--fast"));
    }
}
