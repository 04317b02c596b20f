//! Fuzzes the answers to events, with a real database.

#![no_main]

use std::{cell::RefCell, panic};

use kit::fuzz::Events;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static FUNCTIONS: (Runtime, RefCell<Events>) = {
        // The hook of libfuzzer-sys ends the process at every panic. This one does not: panics in lambda_http are
        // answered with 400, and other caught panics with 500, which the check rejects.
        panic::set_hook(Box::new(|panic| {
            if panic.location().is_some_and(|place| !place.file().contains("/registry/")) {
                eprintln!("{panic}");
            }
        }));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let events = runtime.block_on(Events::new(dev::routes));
        (runtime, events.into())
    };
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    FUNCTIONS.with(|(runtime, events)| runtime.block_on(events.borrow_mut().send(input)));
});
