//! What the fuzz targets of `fuzz` found or learnt from, in order, as they send it.

#![cfg(test)]

use std::{fs, path::Path};

use kit::fuzz::{self, Events};

/// Name and content of each file that is kept for a target.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.map(|file| (file.display().to_string(), fs::read(&file).unwrap())).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[tokio::test]
async fn no_event_of_the_corpus_has_an_answer_that_breaks_a_promise() {
    let mut events = Events::of(dev::routes).await;
    for (name, input) in corpus("event") {
        eprintln!("{name}");
        events.send(&input).await;
    }
    for (name, event) in kit::events::all() {
        eprintln!("{name}");
        events.send(event.as_bytes()).await;
    }
}

#[test]
fn of_the_tokens_in_the_corpus_those_that_are_named_good_are_taken() {
    for (name, input) in corpus("token") {
        assert_eq!(fuzz::token(&input).is_some(), name.contains("/good-"), "{name}");
    }
}
