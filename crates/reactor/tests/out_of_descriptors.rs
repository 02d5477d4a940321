//! With no descriptor left, a reactor cannot be made, and what there is goes on. Alone in its process, whose limit it
//! lowers.

mod common;

use aioli_reactor::{BackendKind, Reactor};
use common::{drive, pair};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs::File, io::Write};

#[test]
fn no_descriptor_left_is_an_error_and_passes() {
    let reactor = Reactor::new().unwrap();
    let (near, mut far) = pair();
    let before = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(64),
            maximum: before.maximum,
        },
    )
    .unwrap();
    let mut hoard = Vec::new();
    let full = loop {
        match File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(error) => break error.raw_os_error(),
        }
    };

    // However many are left, too few are too few, and none is kept.
    for spare in 0..=4 {
        hoard.truncate(hoard.len() - usize::from(spare > 0));
        let made = Reactor::with_backend(BackendKind::PortableOneShot)
            .map(drop)
            .map_err(|error| error.raw_os_error());
        let native = Reactor::new().map(drop).map_err(|error| error.raw_os_error());
        if spare == 0 {
            assert_eq!((made, native), (Err(full), Err(full)));
        } else {
            assert!(made.is_ok() || made == Err(full));
            assert!(native.is_ok() || native == Err(full));
        }
        if spare == 4 {
            assert_eq!((made, native), (Ok(()), Ok(())));
        }
    }

    // Registering takes no descriptor, and neither does waiting.
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    let source = reactor.register(near).unwrap();
    far.write_all(b"x").unwrap();
    assert_eq!(drive(&reactor, |cx| source.poll_read(cx, &mut [0; 8])).unwrap(), 1);
    setrlimit(Resource::Nofile, before).unwrap();
}
