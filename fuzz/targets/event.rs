//! The whole way from an event to its answer, database included.

#![no_main]

use std::{cell::RefCell, panic};

use kit::fuzz::Events;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static FUNCTIONS: (Runtime, RefCell<Events>) = {
        // libfuzzer-sys ends the process at every panic. Those of lambda_http are answered with 400, and of any
        // other that is caught the answer tells, as it is a 500.
        panic::set_hook(Box::new(|panic| {
            if panic.location().is_some_and(|place| !place.file().contains("/registry/")) {
                eprintln!("{panic}");
            }
        }));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let events = runtime.block_on(Events::of(dev::routes));
        (runtime, events.into())
    };
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    FUNCTIONS.with(|(runtime, events)| runtime.block_on(events.borrow_mut().send(input)));
});
