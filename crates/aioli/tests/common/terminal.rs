//! Programs that tests start of themselves, to send them the signals of a terminal.

/// Has these signals do what they do to a program that was started from a terminal: a shell starts a job in the background, as tests may
/// be, with some of them ignored.
pub fn heed_the_terminal() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
