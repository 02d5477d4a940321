//! What the user sees: results on the standard output, each in one piece; on the standard error complaints, and, if that is a terminal,
//! a last line with what is running.

use aioli::{Lock, io::AsyncWriteExt, stdio};
use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How wide the last line may be.
const WIDTH: usize = 79;

pub struct Screen {
    /// Whoever writes a result has it until all of it is written.
    output: Lock<stdio::Output>,
    progress: Mutex<Progress>,
    is_terminal: bool,
}

struct Progress {
    total: usize,
    finished: usize,
    running: Vec<String>,
}

impl Screen {
    /// For so many targets.
    pub fn new(total: usize) -> io::Result<Self> {
        Ok(Self {
            output: Lock::new(stdio::stdout()?),
            progress: Mutex::new(Progress {
                total,
                finished: 0,
                running: Vec::new(),
            }),
            is_terminal: io::stderr().is_terminal(),
        })
    }

    /// A target is running, until what this gives is dropped.
    pub fn begin<'a>(&'a self, name: &'a str) -> Running<'a> {
        let mut progress = self.progress();
        progress.running.push(name.to_owned());
        self.show(&progress);
        Running { screen: self, name }
    }

    /// Writes what a target's commands have written, under a line that says how far we are.
    pub async fn finish(&self, name: &str, written: &[u8]) -> io::Result<()> {
        let mut output = self.output.lock().await;
        let mut text = {
            let mut progress = self.progress();
            progress.finished += 1;
            format!("[{}/{}] {name}\n", progress.finished, progress.total).into_bytes()
        };
        text.extend_from_slice(written);
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        self.clear();
        // If whoever reads our output is slow, this waits; the commands run on, and so does this program.
        output.write_all(&text).await
    }

    pub fn complain(&self, problem: &str) {
        self.clear();
        // There is nobody to tell that this cannot be told.
        let _ = writeln!(io::stderr(), "make_j: {problem}");
    }

    /// Removes the last line.
    pub fn clear(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn show(&self, progress: &Progress) {
        if self.is_terminal {
            let Progress {
                total,
                finished,
                running,
            } = progress;
            let line = format!("[{finished}/{total}] {}", running.join(", "));
            let line: String = line.chars().take(WIDTH).collect();
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target that is running.
pub struct Running<'a> {
    screen: &'a Screen,
    name: &'a str,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut progress = self.screen.progress();
        if let Some(index) = progress.running.iter().position(|name| name == self.name) {
            progress.running.remove(index);
        }
        self.screen.show(&progress);
    }
}
