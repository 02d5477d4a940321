//! Everything at once: children that exit, are killed, waited for and dropped in any order, on loops that close in the middle of it.
//! `common/dice.rs` has the environment variables that it listens to.

#[path = "../common/dice.rs"]
mod dice;

use crate::{lifetimes::wait_until_gone, run};
use aioli::{
    create_task,
    process::{Command, Process, Stdio},
    wait_for,
};
use dice::{Dice, rounds};
use std::{os::unix::process::ExitStatusExt, sync::Arc};

/// A child that exits with this code, sooner or later.
fn child(dice: &mut Dice, code: u64) -> Process {
    let mut command = match dice.below(3) {
        0 => Command::shell(format!("exit {code}")),
        1 => Command::shell(format!("sleep 0.00{}; exit {code}", dice.below(10))),
        _ => Command::shell(format!("read line; exit {code}")),
    };
    if dice.below(2) == 0 {
        command.stdout(Stdio::PIPE);
    }
    command
        .stdin(Stdio::PIPE)
        .kill_on_drop(dice.below(2) == 0)
        .spawn()
        .unwrap()
}

/// Does something to it, or several times nothing.
async fn meddle(mut dice: Dice, process: Arc<Process>) {
    for _ in 0..dice.below(4) {
        match dice.below(6) {
            // It may have exited.
            0 => drop(process.kill()),
            1 => drop(process.terminate()),
            2 => drop(wait_for(process.wait(), dice.micros(2000)).await),
            3 => drop(process.wait().await),
            4 => drop(create_task(process.wait())),
            _ => aioli::sleep(dice.micros(2000)).await,
        }
    }
}

/// Whoever has been asked to end does so, by its code or the signal.
fn round(seed: u64) {
    let mut dice = Dice::new(seed);
    let workers = 1 + dice.below(3) as usize;
    let children = 1 + dice.below(12);
    let waits = run(workers, async {
        let mut waits = Vec::new();
        let mut tasks = Vec::new();
        for code in 0..children {
            let mut process = child(&mut dice, code);
            let stdin = process.stdin.take();
            waits.push((code, process.id(), process.wait()));
            let process = Arc::new(process);
            for _ in 0..1 + dice.below(3) {
                tasks.push(create_task(meddle(dice.child(), process.clone())));
            }
            tasks.push(create_task({
                let pause = dice.micros(3000);
                async move {
                    aioli::sleep(pause).await;
                    drop(stdin);
                }
            }));
        }
        for task in tasks {
            match dice.below(4) {
                0 => drop(task.cancel()),
                1 => task.detach(),
                _ => drop(task.await),
            }
        }
        waits
    });
    run(1, async {
        for (code, id, wait) in waits {
            let status = wait.await.unwrap();
            match status.code() {
                Some(own) => assert_eq!(own, code as i32),
                None => assert!([libc::SIGKILL, libc::SIGTERM].contains(&status.signal().unwrap())),
            }
            wait_until_gone(id);
        }
    });
}

#[test]
fn every_exit_is_noticed_once_whatever_happens_around_it() {
    rounds("processes", 2, round);
}
