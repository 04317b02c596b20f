//! Runs the fuzz targets' checks on their stored corpus.

#![cfg(test)]

use std::{fs, path::Path};

use kit::fuzz::{self, Events, Kind};

/// Returns the path and content of each corpus file of a target, sorted by path.
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
async fn every_event_in_the_corpus_gets_a_valid_answer() {
    let mut events = Events::new(dev::routes).await;
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
fn only_corpus_tokens_named_good_are_accepted() {
    for (name, input) in corpus("token") {
        let kind = match name {
            _ if name.contains("/good-refresh") => Some(Kind::Refresh),
            _ if name.contains("/good-") => Some(Kind::Access),
            _ => None,
        };
        assert_eq!(fuzz::token(&input), kind, "{name}");
    }
}
