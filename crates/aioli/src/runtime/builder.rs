//! How a loop is configured.

#[cfg(unix)]
use super::ctrl_c::CtrlC;
use super::{clock::Clock, driver::JoinedDriver, runner::Runner, state::LoopState};
use crate::net::{Resolver, SystemResolver};
use aioli_executor::{Config, Executor, MAX_WORKERS, ThreadHook};
use aioli_reactor::Reactor;
use std::{env, error::Error, ffi::OsString, fmt, io, sync::Arc, time::Duration};

/// The environment variable that gives the number of workers where the program does not.
const WORKERS: &str = "AIOLI_WORKERS";

/// Configures a [`Runner`].
///
/// ```
/// let mut runner = aioli::Builder::new().workers(2).thread_name("crunch").build()?;
/// assert_eq!(runner.run(async { 6 * 7 }), 42);
/// # Ok::<(), aioli::BuildError>(())
/// ```
#[derive(Default)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct Builder {
    workers: Option<usize>,
    thread_name: Option<String>,
    on_start: Option<ThreadHook>,
    on_stop: Option<ThreadHook>,
    max_blocking_threads: Option<usize>,
    cleanup_timeout: Option<Duration>,
    virtual_time: bool,
    resolver: Option<Arc<dyn Resolver>>,
    #[cfg(unix)]
    cancel_on_ctrl_c: bool,
}

impl Builder {
    /// The defaults: as many workers as `AIOLI_WORKERS` says, or else as the machine has cores.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many threads run tasks, the one that calls `run` included. With one, tasks run in asyncio's order and the
    /// process gets no thread of the runtime's until something calls [`to_thread`](crate::to_thread).
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The name of the workers' threads, but for the one that calls `run`; by default `aioli`. Threads for blocking calls
    /// have it with `-blocking` behind it.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// Called by each thread that the runtime starts, first of all.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_start = Some(Arc::new(hook));
        self
    }

    /// Called by each thread that the runtime started, last of all.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_stop = Some(Arc::new(hook));
        self
    }

    /// How many threads for blocking calls there may be at a time; by default 512. They are started when they are
    /// needed, and leave after ten seconds without work.
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        self.max_blocking_threads = Some(threads);
        self
    }

    /// Whether the loop has a clock of its own, which stands still while anything is left to do and then jumps to the next
    /// timer. For tests: an hour of sleeping takes no time, and takes exactly an hour by [`EventLoop::time`], so that what
    /// happens, and in which order, does not depend on how fast the machine is.
    ///
    /// The clock stands still, too, while calls made by [`to_thread`](crate::to_thread) are under way. It knows of no other
    /// threads, nor of sockets: a program that waits for these and for timers at the same time will find that the time is
    /// up. Its finest unit is the microsecond, to which timers are rounded up.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let hour = Duration::from_secs(3600);
    /// let before = Instant::now();
    /// aioli::Builder::new().virtual_time(true).build()?.run(async {
    ///     let event_loop = aioli::EventLoop::current();
    ///     let start = event_loop.time();
    ///     aioli::sleep(hour).await;
    ///     assert_eq!(event_loop.time() - start, hour);
    /// });
    /// assert!(before.elapsed() < hour);
    /// # Ok::<(), aioli::BuildError>(())
    /// ```
    ///
    /// [`EventLoop::time`]: crate::EventLoop::time
    pub fn virtual_time(mut self, yes: bool) -> Self {
        self.virtual_time = yes;
        self
    }

    /// How long the end of the loop waits for tasks to clean up; by default, as in asyncio, for ever. When the time is up,
    /// what is left is cut off: futures and deferred work are dropped where they stand, whatever catchers they have, and each such
    /// task is reported to the exception handler. A task that is stuck in one poll is waited for all the same. The time is real
    /// time, also on a [virtual clock](Self::virtual_time).
    pub fn cleanup_timeout(mut self, limit: Duration) -> Self {
        self.cleanup_timeout = Some(limit);
        self
    }

    /// Who finds the addresses of names; by default the system, through [`SystemResolver`].
    /// [`EventLoop::set_resolver`](crate::EventLoop::set_resolver) changes it later.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Whether Ctrl-C, the signal `SIGINT`, cancels the main task of a run, so that it cleans up before
    /// [`try_run`](Runner::try_run) says that it was cancelled (and [`run_forever`](Runner::run_forever) returns). A second Ctrl-C
    /// in the same run ends the process at once, with exit code 130. By default, nothing is done about the signal.
    ///
    /// As `asyncio.run()` does it. Other handlers of the signal stay and are called, too; but once a run with this option
    /// has begun, a Ctrl-C outside such runs ends the process, as it would have without any handler, unless somebody
    /// [listens](mod@crate::signal) for it. In a program that was started with the signal ignored, as under `nohup`, it stays ignored.
    /// Only on Unix.
    ///
    /// ```no_run
    /// let mut runner = aioli::Builder::new().cancel_on_ctrl_c(true).build()?;
    /// let outcome = runner.try_run(async {
    ///     let _goodbye = aioli::defer(async { println!("goodbye") });
    ///     std::future::pending::<()>().await;
    /// });
    /// assert!(outcome.is_err_and(|error| error.is_cancelled()));
    /// # Ok::<(), aioli::BuildError>(())
    /// ```
    #[cfg(unix)]
    pub fn cancel_on_ctrl_c(mut self, yes: bool) -> Self {
        self.cancel_on_ctrl_c = yes;
        self
    }

    /// Makes the loop and starts its threads.
    ///
    /// # Errors
    ///
    /// * [`BuildError::NoWorkers`], [`BuildError::NoBlockingThreads`]: a number given here is 0;
    /// * [`BuildError::TooManyWorkers`]: there can be 16,384;
    /// * [`BuildError::Environment`]: `AIOLI_WORKERS` is needed and is not such a number;
    /// * [`BuildError::System`]: the system refused a thread or a descriptor.
    pub fn build(self) -> Result<Runner, BuildError> {
        let workers = match self.workers {
            Some(0) => return Err(BuildError::NoWorkers),
            Some(workers) if workers > MAX_WORKERS => return Err(BuildError::TooManyWorkers(workers)),
            Some(workers) => workers,
            None => workers_from(env::var_os(WORKERS))?,
        };
        if self.max_blocking_threads == Some(0) {
            return Err(BuildError::NoBlockingThreads);
        }
        let mut config = Config::new(workers);
        config.cleanup_timeout = self.cleanup_timeout;
        let name = self.thread_name.unwrap_or_else(|| "aioli".to_owned());
        config.blocking_threads.name = format!("{name}-blocking");
        config.worker_threads.name = name;
        for threads in [&mut config.worker_threads, &mut config.blocking_threads] {
            threads.on_start = self.on_start.clone();
            threads.on_stop = self.on_stop.clone();
        }
        if let Some(threads) = self.max_blocking_threads {
            config.max_blocking_threads = threads;
        }
        let clock = if self.virtual_time {
            Clock::standing()
        } else {
            Clock::real()
        };
        let reactor = Reactor::new().map_err(BuildError::System)?;
        let resolver = self.resolver.unwrap_or_else(|| Arc::new(SystemResolver));
        let state = Arc::new(LoopState::new(clock, reactor, resolver));
        let driver = JoinedDriver::new(workers, state.clone());
        #[cfg(unix)]
        let ctrl_c = match self.cancel_on_ctrl_c {
            true => Some(CtrlC::new(&state.reactor).map_err(BuildError::System)?),
            false => None,
        };
        let executor = Executor::new(config, Arc::new(driver)).map_err(BuildError::System)?;
        Ok(Runner {
            executor,
            state,
            #[cfg(unix)]
            ctrl_c,
        })
    }
}

/// The number of workers by the environment, or else by the machine.
fn workers_from(variable: Option<OsString>) -> Result<usize, BuildError> {
    let Some(value) = variable else {
        return Ok(num_cpus::get());
    };
    match value.to_str().and_then(|text| text.trim().parse().ok()) {
        Some(workers) if (1..=MAX_WORKERS).contains(&workers) => Ok(workers),
        _ => Err(BuildError::Environment(value)),
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.workers)
            .field("thread_name", &self.thread_name)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("virtual_time", &self.virtual_time)
            .finish_non_exhaustive()
    }
}

/// Why a loop could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// `workers(0)`: somebody has to run the tasks.
    NoWorkers,
    /// This many workers were asked for, which is more than there can be.
    TooManyWorkers(usize),
    /// `max_blocking_threads(0)`: somebody has to make the blocking calls.
    NoBlockingThreads,
    /// `AIOLI_WORKERS` is set to this, which is not a number of workers that there can be.
    Environment(OsString),
    /// The system refused a thread or a descriptor.
    System(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::NoWorkers => {
                f.write_str("an event loop needs at least one worker, and `workers(0)` was asked for")
            }
            BuildError::TooManyWorkers(workers) => {
                write!(
                    f,
                    "an event loop has at most {MAX_WORKERS} workers, and `workers({workers})` was asked for"
                )
            }
            BuildError::NoBlockingThreads => {
                f.write_str("blocking calls need at least one thread, and `max_blocking_threads(0)` was asked for")
            }
            BuildError::Environment(value) => {
                write!(
                    f,
                    "the environment variable {WORKERS} must be a number from 1 to {MAX_WORKERS}, and is {value:?}"
                )
            }
            BuildError::System(error) => write!(f, "the system refused what an event loop needs: {error}"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BuildError::System(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_gives_the_number_of_workers() {
        assert_eq!(workers_from(Some(" 3 ".into())).unwrap(), 3);
        assert_eq!(workers_from(None).unwrap(), num_cpus::get());
    }

    #[test]
    fn an_environment_that_makes_no_sense_is_an_error_that_quotes_it() {
        for value in ["abc", "0", "-1", "", "2.5"] {
            let error = workers_from(Some(value.into())).unwrap_err();
            assert!(matches!(&error, BuildError::Environment(text) if text == value));
            assert!(error.to_string().contains(&format!(
                "AIOLI_WORKERS must be a number from 1 to 16384, and is {value:?}"
            )));
        }
    }
}
