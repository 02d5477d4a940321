//! `aioli_sync::RwLock`. What it shares with `Semaphore`, on which core it stands, is in the models of that.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::RwLock;
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::{sync::Arc, thread};
use std::sync::Arc as StdArc;

/// Two write, and one reads what either has left whole.
///
/// Fails when a release is Relaxed, when what takes permits without the lock is, when a writer leaves a permit to others, when what
/// nobody wants of what is in hand is not added, and when more is taken out of the word than is missing in hand.
#[test]
fn write_x_write_x_read() {
    model_with(3, || {
        let lock = Arc::new(RwLock::new((0, 0)));
        let writers = [(), ()].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut value = block_on(lock.write());
                value.0 += 1;
                value.1 += 1;
            })
        });
        {
            let value = block_on(lock.read());
            assert_eq!(value.0, value.1);
        }
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(*lock.try_write().expect("nobody holds it"), (2, 2));
    });
}

/// A writer goes on as a reader, while another waits to write and a third to read: the other writer does not come in between.
///
/// Fails when a downgrade releases all permits, also if it then takes one again; and as above.
#[test]
fn downgrade_x_write_x_read() {
    model_with(3, || {
        let lock = Arc::new(RwLock::new(0));
        let mut writing = lock.try_write().unwrap();
        let writer = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.write()) += 10)
        };
        let reader = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.read()))
        };
        *writing = 1;
        let reading = writing.downgrade();
        assert_eq!(*reading, 1);
        drop(reading);
        writer.join().unwrap();
        assert!([1, 11].contains(&reader.join().unwrap()));
        assert_eq!(*lock.try_write().expect("nobody holds it"), 11);
    });
}

/// A writer waits for a reader and holds up another, and gives up while the first is done.
///
/// Fails when what was given to a waiter that goes is not given back.
#[test]
fn drop_of_the_writer_x_end_of_a_reader_x_read() {
    model_with(3, || {
        let lock = StdArc::new(RwLock::new(1));
        let reading = lock.clone().try_read_owned().unwrap();
        let waiting_lock = lock.clone();
        let mut writer = Box::pin(waiting_lock.write());
        assert!(poll_once(writer.as_mut()).is_none());
        let reader = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.read()))
        };
        let first = thread::spawn(move || drop(reading));
        drop(writer);
        assert_eq!(reader.join().unwrap(), 1);
        first.join().unwrap();
        *lock.try_write().expect("nobody holds it") = 2;
    });
}

/// A writer waits for a reader and holds up another, and gives up while the first goes on.
///
/// Fails when a waiter that goes does not have those behind it served.
#[test]
fn drop_of_the_writer_x_read() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new(1));
        let reading = lock.try_read().unwrap();
        let mut writer = Box::pin(lock.write());
        assert!(poll_once(writer.as_mut()).is_none());
        let reader = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.read()))
        };
        drop(writer);
        assert_eq!(reader.join().unwrap(), *reading);
        drop(reading);
        *lock.try_write().expect("nobody holds it") = 2;
    });
}
