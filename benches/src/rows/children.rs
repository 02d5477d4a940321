//! Other programs, run to their end, 16 at a time. The processor time is that of this process; the children have theirs,
//! which is alike for all.
//!
//! The floor has no runtime: with the standard library, one thread starts a child when there is room, and else waits for
//! the oldest.

use std::collections::VecDeque;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use super::{Metric, Row, Sample, Setting};
use crate::meter;
use crate::peers::ProcessPeer;

const AT_A_TIME: usize = 16;

/// What the children are.
#[derive(Clone, Copy)]
pub enum Program {
    /// It does nothing.
    Silent,
    /// It prints a word, which is read through a pipe.
    Talking,
}

impl Program {
    const SILENT: &str = "/bin/true";
    const TALKING: &str = "/bin/echo";
    const WORD: &str = "hello";

    async fn run<P: ProcessPeer>(self) -> io::Result<()> {
        let well = match self {
            Program::Silent => P::run_program(Self::SILENT).await?,
            Program::Talking => Self::is_word(&P::read_program(Self::TALKING, Self::WORD).await?),
        };
        Self::check(well)
    }

    fn spawn(self) -> io::Result<Child> {
        let mut command = match self {
            Program::Silent => Command::new(Self::SILENT),
            Program::Talking => Command::new(Self::TALKING),
        };
        if let Program::Talking = self {
            command.arg(Self::WORD).stdout(Stdio::piped());
        }
        command.stdin(Stdio::null()).spawn()
    }

    fn wait(self, child: Child) -> io::Result<()> {
        let output = child.wait_with_output()?;
        Self::check(match self {
            Program::Silent => output.status.success(),
            Program::Talking => Self::is_word(&output.stdout),
        })
    }

    fn is_word(printed: &[u8]) -> bool {
        printed.trim_ascii_end() == Self::WORD.as_bytes()
    }

    fn check(well: bool) -> io::Result<()> {
        if well {
            Ok(())
        } else {
            Err(io::Error::other("a child did not do as it was told"))
        }
    }
}

/// The row of a runtime.
pub fn row<P: ProcessPeer>(name: &'static str, program: Program) -> Row {
    row_of(name, move |setting, children| {
        P::run(setting.workers, move |_| async move {
            run_all::<P>(AT_A_TIME, program).await?;
            let stopwatch = Stopwatch::start();
            run_all::<P>(children, program).await?;
            Ok(stopwatch.microseconds())
        })
    })
}

/// The row without a runtime.
pub fn floor(name: &'static str, program: Program) -> Row {
    row_of(name, move |_, children| {
        run_all_plainly(AT_A_TIME, program)?;
        let stopwatch = Stopwatch::start();
        run_all_plainly(children, program)?;
        Ok(stopwatch.microseconds())
    })
}

/// A row whose `measure` runs that many children, and gives wall clock and processor time.
fn row_of(name: &'static str, measure: impl Fn(&Setting, usize) -> io::Result<[f64; 2]> + 'static) -> Row {
    Row {
        name,
        metrics: vec![Metric::cost("wall", "us/child"), Metric::cost("CPU", "us/child")],
        measure: Box::new(move |setting| -> Sample {
            let children = setting.scale(300, 20);
            let times = measure(setting, children)?;
            Ok(times.map(|time| time / children as f64).to_vec())
        }),
    }
}

async fn run_all<P: ProcessPeer>(children: usize, program: Program) -> io::Result<()> {
    let semaphore = Arc::new(P::new_semaphore(AT_A_TIME));
    let tasks: Vec<_> = (0..children)
        .map(|_| {
            let semaphore = semaphore.clone();
            P::spawn(async move {
                let _permit = P::acquire(&semaphore).await;
                program.run::<P>().await
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}

fn run_all_plainly(children: usize, program: Program) -> io::Result<()> {
    let mut running = VecDeque::with_capacity(AT_A_TIME);
    for _ in 0..children {
        if running.len() == AT_A_TIME {
            program.wait(running.pop_front().expect("the oldest"))?;
        }
        running.push_back(program.spawn()?);
    }
    running.into_iter().try_for_each(|child| program.wait(child))
}

/// Wall clock and processor time since it was started.
struct Stopwatch {
    wall: Instant,
    cpu: std::time::Duration,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch {
            wall: Instant::now(),
            cpu: meter::cpu_time(),
        }
    }

    fn microseconds(&self) -> [f64; 2] {
        [self.wall.elapsed(), meter::cpu_time() - self.cpu].map(|time| time.as_secs_f64() * 1e6)
    }
}
