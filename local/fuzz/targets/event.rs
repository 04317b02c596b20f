//! The whole way from an event to its answer, database included.

#![no_main]

use std::cell::RefCell;

use testing::fuzz::Events;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static FUNCTIONS: (Runtime, RefCell<Events>) = {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let events = runtime.block_on(Events::of(local::routes));
        (runtime, events.into())
    };
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    FUNCTIONS.with(|(runtime, events)| runtime.block_on(events.borrow_mut().send(input)));
});
