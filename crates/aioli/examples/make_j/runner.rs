//! A task for each target, and a child for each command.

use crate::{
    plan::{Plan, Target},
    screen::Screen,
};
use aioli::{
    Promise, Semaphore, TaskGroup, closing,
    process::{ExitStatus, Process, Stdio, create_subprocess_shell},
    signal::SignalKind,
    wait_for,
};
use std::{fmt, io, os::unix::process::ExitStatusExt, sync::Arc, time::Duration};

/// How long a command that is to stop has for it.
const GRACE: Duration = Duration::from_secs(1);

pub struct Runner {
    plan: Plan,
    /// For each target, whether it was made, as soon as that is known.
    made: Vec<Promise<bool>>,
    slots: Semaphore,
    keep_going: bool,
    screen: Screen,
}

/// Why a target was not made.
enum Failure {
    Exit(ExitStatus),
    /// It could not be started, or what it wrote not be read or shown.
    Io(io::Error),
    /// Something that it needs was not made.
    Needs(String),
}

impl Runner {
    pub fn new(plan: Plan, jobs: usize, keep_going: bool, screen: Screen) -> Arc<Self> {
        Arc::new(Self {
            made: plan.targets.iter().map(|_| Promise::new()).collect(),
            plan,
            slots: Semaphore::new(jobs),
            keep_going,
            screen,
        })
    }

    /// Makes all targets; whether that went well. Cancelled, it is over when no command is running any more.
    pub async fn run(self: &Arc<Self>) -> bool {
        let group = TaskGroup::<Failure>::default();
        for index in 0..self.plan.targets.len() {
            let this = self.clone();
            if group.create_task(async move { this.make(index).await }).is_err() {
                // One has failed already.
                break;
            }
        }
        // The first failure ends the group: the other tasks are cancelled, and stop their commands.
        let stopped = group.join().await.is_err();
        self.screen.clear();
        !stopped && self.made.iter().all(|made| matches!(made.result(), Ok(true)))
    }

    /// Makes a target. Its failure is this task's only if the others are not to go on.
    async fn make(&self, index: usize) -> Result<(), Failure> {
        let target = &self.plan.targets[index];
        let result = self.attempt(target).await;
        if let Err(failure) = &result {
            self.screen.complain(&format!("*** [{}] {failure}", target.name));
            if !self.keep_going {
                // Those who need this target wait for it until the group has ended them.
                return result;
            }
        }
        // Nobody else completes it.
        let _ = self.made[index].set_result(result.is_ok());
        Ok(())
    }

    async fn attempt(&self, target: &Target) -> Result<(), Failure> {
        for &need in &target.needs {
            if !matches!((&self.made[need]).await, Ok(true)) {
                return Err(Failure::Needs(self.plan.targets[need].name.clone()));
            }
        }
        let _slot = self.slots.acquire().await;
        let _running = self.screen.begin(&target.name);
        let (mut written, mut result) = (Vec::new(), Ok(()));
        for command in &target.commands {
            let status = run(command, &mut written).await.map_err(Failure::Io)?;
            if !status.success() {
                result = Err(Failure::Exit(status));
                break;
            }
        }
        self.screen.finish(&target.name, &written).await.map_err(Failure::Io)?;
        result
    }
}

/// Runs a command to its end, and to the end of what it has started and given its output.
async fn run(command: &str, written: &mut Vec<u8>) -> io::Result<ExitStatus> {
    let child = create_subprocess_shell(command)
        .stdin(Stdio::DEVNULL)
        .stdout(Stdio::PIPE)
        .stderr(Stdio::STDOUT)
        // So that it can be stopped with all that it has started; the terminal's Ctrl-C does not reach it then, and is our affair.
        .process_group(0)
        .await?;
    // If this task is cancelled in here, the child is stopped before the task is over.
    let mut child = closing(child, stop);
    let output = child.communicate("").await?;
    written.extend(output.stdout.unwrap_or_default());
    Ok(output.status)
}

/// Stops a child that has not exited yet: asks, waits a little, and kills. It is gone, and no zombie, when this is done.
async fn stop(child: Process) {
    // If it has exited at this moment, that is as good.
    let _ = child.send_signal_to_group(SignalKind::terminate());
    if wait_for(child.wait(), GRACE).await.is_err() {
        let _ = child.send_signal_to_group(libc::SIGKILL);
        // An error is that its status is lost; it is gone all the same.
        let _ = child.wait().await;
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "Error {code}"),
                (None, Some(signal)) => write!(f, "Killed by signal {signal}"),
                (None, None) => status.fmt(f),
            },
            Self::Io(error) => error.fmt(f),
            Self::Needs(name) => write!(f, "Not made because of {name}"),
        }
    }
}
