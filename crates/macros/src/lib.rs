//! The attributes `#[aioli::main]` and `#[aioli::test]`: an async function as the main function of a program, or as a
//! test.
//!
//! Both leave the function as it is, put it into a synchronous one of the same name, and run it there on an event loop:
//!
//! ```
//! #[aioli::main(workers = 2)]
//! async fn main() -> Result<(), std::num::ParseIntError> {
//!     let task = aioli::create_task(async { "42".parse::<u32>() });
//!     assert_eq!(task.await.expect("nobody cancels it")?, 42);
//!     Ok(())
//! }
//! ```
//!
//! stands for
//!
//! ```
//! fn main() -> Result<(), std::num::ParseIntError> {
//!     async fn main() -> Result<(), std::num::ParseIntError> {
//!         let task = aioli::create_task(async { "42".parse::<u32>() });
//!         assert_eq!(task.await.expect("nobody cancels it")?, 42);
//!         Ok(())
//!     }
//!     let mut runner = aioli::Builder::new().workers(2).build().expect("cannot start an event loop");
//!     runner.run(main())
//! }
//! ```
//!
//! In this file is what the compiler calls; `options` reads what is in the brackets, and `expand` does the rest.

use proc_macro::TokenStream;

mod expand;
mod options;

use expand::Role;

/// Makes an async `main` the main function of the program: it runs on an event loop, which is closed, with all that is left on
/// it, before the program ends.
///
/// `#[aioli::main]` has as many workers as the environment variable `AIOLI_WORKERS` says, or else as the machine has
/// cores; `#[aioli::main(workers = 4)]` has four. The body runs on the program's first thread, so it need not be
/// `Send`, and it may return whatever a main function may.
///
/// With `#[aioli::main(cancel_on_ctrl_c = true)]` the first Ctrl-C cancels the main function. It cleans up, and so does whatever
/// else is left; then the process ends with exit code 130, unless the main function caught the cancellation and has a value. A
/// second Ctrl-C ends the process at once. As `asyncio.run()`, which does so unasked; see `Builder::cancel_on_ctrl_c`.
///
/// ```
/// use std::io;
///
/// #[aioli::main]
/// async fn main() -> io::Result<()> {
///     let text = aioli::to_thread(|| std::fs::read_to_string("Cargo.toml")).await.expect("it does not panic")?;
///     assert!(text.contains("[package]"));
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// The function panics if the event loop cannot be made, as with an `AIOLI_WORKERS` that is no number, with whatever the
/// body panics with, and, without `cancel_on_ctrl_c = true`, if it is cancelled.
///
/// # Errors
///
/// It does not compile if the function is not async:
///
/// ```compile_fail
/// #[aioli::main]
/// fn main() {}
/// ```
///
/// if it takes arguments:
///
/// ```compile_fail
/// #[aioli::main]
/// async fn main(arguments: Vec<String>) {}
/// ```
///
/// with an option that does not exist:
///
/// ```compile_fail
/// #[aioli::main(threads = 2)]
/// async fn main() {}
/// ```
///
/// without any worker:
///
/// ```compile_fail
/// #[aioli::main(workers = 0)]
/// async fn main() {}
/// ```
///
/// or with something else than a number of them:
///
/// ```compile_fail
/// #[aioli::main(workers = "two")]
/// async fn main() {}
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, function: TokenStream) -> TokenStream {
    expand::expand(Role::Main, options.into(), function.into()).into()
}

/// Makes an async function a test: it runs on an event loop, which is closed, with all that is left on it, before the test
/// ends.
///
/// With one worker unless it says otherwise, so that tasks run in the same order each time: first come, first served. To test
/// on more threads, write `#[aioli::test(workers = 4)]`.
///
/// With `#[aioli::test(virtual_time = true)]` time passes only where everybody waits for it: an hour of sleeping takes no
/// time. See `Builder::virtual_time`.
///
/// Attributes such as `#[should_panic]` and `#[ignore]` mean what they always do, and the function may return a `Result`.
///
/// ```
/// # mod tests {
/// #[aioli::test]
/// async fn tasks_take_turns() {
///     let task = aioli::create_task(async { 6 * 7 });
///     assert_eq!(task.await.unwrap(), 42);
/// }
///
/// #[aioli::test(virtual_time = true)]
/// async fn an_hour_takes_no_time() {
///     let start = aioli::EventLoop::current().time();
///     let hour = std::time::Duration::from_secs(3600);
///     aioli::sleep(hour).await;
///     assert_eq!(aioli::EventLoop::current().time() - start, hour);
/// }
///
/// #[aioli::test(workers = 2)]
/// #[should_panic(expected = "on purpose")]
/// async fn a_panic_fails_the_test() {
///     panic!("on purpose");
/// }
///
/// #[aioli::test]
/// async fn a_test_may_fail_with_an_error() -> Result<(), std::num::ParseIntError> {
///     assert_eq!("42".parse::<i32>()?, 42);
///     Ok(())
/// }
/// # }
/// ```
///
/// # Errors
///
/// It does not compile for the same reasons as with [`main`](macro@main): if the function is not async or takes arguments, if an
/// option does not exist, or if the number of workers is none.
///
/// ```compile_fail
/// #[aioli::test]
/// fn it_waits_for_nothing() {}
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    expand::expand(Role::Test, options.into(), function.into()).into()
}
