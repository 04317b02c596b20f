//! docs/security.md names a test for each check: they are there.

use std::{collections::BTreeSet, fs, path::Path};

const SECURITY: &str = include_str!("../../docs/security.md");

/// The names of all tests in the Rust sources below this folder.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name() == "target" {
            // Of the fuzz targets.
        } else if entry.file_type().unwrap().is_dir() {
            tests_below(&entry.path(), names);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(entry.path()).unwrap();
            let after_attributes = source.split("#[test]").chain(source.split("#[tokio::test")).skip(1);
            let name = |rest: &str| Some(rest.split_once("fn ")?.1.split_once('(')?.0.to_owned());
            names.extend(after_attributes.filter_map(name));
        }
    }
}

#[test]
fn each_check_has_its_number_and_tests_that_exist() {
    let mut tests = BTreeSet::new();
    for folder in ["dev", "functions", "shared", "tests"] {
        tests_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut tests);
    }
    let (_, table) = SECURITY.rsplit_once("|---|---|---|\n").unwrap();
    let mut numbers = Vec::new();
    let mut missing = Vec::new();
    for row in table.lines() {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, what, named] = cells[..] else { panic!("{row}") };
        numbers.push(number.parse::<usize>().unwrap());
        assert!(named.starts_with("Not a test: ") || named.starts_with('`'), "{what}: {named}");
        let names = named.split('`').skip(1).step_by(2);
        missing.extend(names.filter(|name| !tests.contains(*name)));
    }
    assert!(numbers.iter().copied().eq(1..=64), "{numbers:?}");
    assert_eq!(missing, Vec::<&str>::new(), "no such tests");
}
