//! A system that gives pidfds and lets nobody wait for them or send them signals: Linux 5.3, and sandboxes.

use crate::{LIMIT, common};
use aioli::{process::Command, wait_for};
use std::{mem::offset_of, os::unix::process::ExitStatusExt, thread};

const WAITID: u32 = libc::SYS_waitid as u32;
const PIDFD_SEND_SIGNAL: u32 = libc::SYS_pidfd_send_signal as u32;

/// From now on those calls fail on this thread and the threads and processes that it starts.
fn forbid_pidfds(signals_fail_with: i32) {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let step = |code: u32, then: u8, otherwise: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt: then,
        jf: otherwise,
        k,
    };
    let number = offset_of!(libc::seccomp_data, nr) as u32;
    // The lower half of the first argument.
    let half = if cfg!(target_endian = "big") { 4 } else { 0 };
    let kind = offset_of!(libc::seccomp_data, args) as u32 + half;
    let fail = |error: i32| libc::SECCOMP_RET_ERRNO | error as u32;
    let mut steps = [
        step(LOAD, 0, 0, number),
        step(IF_EQUAL, 5, 0, PIDFD_SEND_SIGNAL),
        step(IF_EQUAL, 0, 3, WAITID),
        step(LOAD, 0, 0, kind),
        step(IF_EQUAL, 0, 1, libc::P_PIDFD),
        step(RETURN, 0, 0, fail(libc::EINVAL)),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, 0, fail(signals_fail_with)),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the program is a whole one, and is copied; both calls are about this thread alone.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program),
            0
        );
    }
}

#[test]
fn where_pidfds_are_good_for_nothing_else_children_are_watched_and_waited_for_all_the_same() {
    for signals_fail_with in [libc::ENOSYS, libc::EPERM] {
        for workers in common::WORKERS {
            let sandbox = thread::spawn(move || {
                forbid_pidfds(signals_fail_with);
                common::run(workers, async {
                    let waits = async {
                        let status = Command::shell("sleep 0.01; exit 3").status().await.unwrap();
                        assert_eq!(status.code(), Some(3));
                        let child = Command::new("sleep").arg("1000").spawn().unwrap();
                        child.terminate().unwrap();
                        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGTERM));
                    };
                    wait_for(waits, LIMIT).await.expect("the test hangs");
                });
            });
            sandbox.join().unwrap();
        }
    }
}
