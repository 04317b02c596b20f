//! CONTRIBUTING.md and SECURITY.md name files, steps and tests that exist, and all files that a change touches.

#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use fancy_regex::Regex;
use yaml_serde::Value as Yaml;

/// Files that may name everything: generated, a history, or the lists themselves.
const EXEMPT: [&str; 4] = ["Cargo.lock", "fuzz/Cargo.lock", "CHANGELOG.md", "CONTRIBUTING.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn yaml(file: &str) -> Yaml {
    yaml_serde::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// The first group of each match.
fn groups(pattern: &str, text: &str) -> Vec<String> {
    regex(pattern).captures_iter(text).map(|found| found.unwrap()[1].to_owned()).collect()
}

/// The repository's files and folders, by their paths from its root, without what is built or local.
static EVERYTHING: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let is_hidden = name.starts_with('.')
                && ![".cargo", ".ci", ".env.example", ".github"].contains(&name.as_str());
            if is_hidden || ["target", "venv", "node_modules", "__pycache__"].contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{path}/"), found);
            }
            found.insert(path);
        }
    }
    let mut found = BTreeSet::new();
    walk(&root(), "", &mut found);
    found
});

fn functions() -> Vec<String> {
    EVERYTHING
        .iter()
        .filter_map(|path| path.strip_prefix("functions/"))
        .filter(|path| !path.contains('/'))
        .map(str::to_owned)
        .collect()
}

/// The paths that a path with placeholders stands for: `<name>` for each function, any other for whatever is there.
fn expanded(path: &str) -> Vec<String> {
    let names = if path.contains("<name>") { functions() } else { vec![String::new()] };
    let mut paths = Vec::new();
    for name in names {
        let path = path.replace("<name>", &name);
        let escaped = path.trim_end_matches('/').replace('.', r"\.");
        let pattern = regex(&format!("^{}$", regex("<[a-z]+>").replace_all(escaped.as_str(), "[^/]+")));
        let found: Vec<_> =
            EVERYTHING.iter().filter(|path| pattern.is_match(path).unwrap()).cloned().collect();
        assert!(!found.is_empty(), "there is no {path}");
        paths.extend(found);
    }
    paths
}

/// The text of all files that a path stands for.
fn text(path: &str) -> String {
    expanded(path).iter().map(|path| read(path)).collect()
}

fn has_word(text: &str, word: &str) -> bool {
    regex(&format!(r"(?<![\w-]){word}(?![\w-])")).is_match(text).unwrap()
}

/// The part of CONTRIBUTING.md below a heading.
fn part(heading: &str) -> String {
    let contributing = read("CONTRIBUTING.md");
    let (_, part) =
        contributing.split_once(&format!("# {heading}\n")).unwrap_or_else(|| panic!("no part {heading}"));
    part.split("\n#").next().unwrap().to_owned()
}

/// The paths that stand before the colons in the list of a part.
fn listed(heading: &str) -> Vec<String> {
    let part = part(heading);
    let items = groups(r"(?m)^- (`[^:]+`):", &part);
    let paths: Vec<_> = items.iter().flat_map(|item| groups("`([^`]+)`", item)).collect();
    assert!(paths.len() > 3, "{heading}: {paths:?}");
    paths
}

/// The files outside of these folders that have all of the words, and that the list lacks.
fn unlisted(heading: &str, words: &[String], outside: &[&str]) -> Vec<String> {
    let listed: BTreeSet<_> = listed(heading).iter().flat_map(|path| expanded(path)).collect();
    let is_candidate = |path: &&String| {
        !outside.iter().any(|folder| path.starts_with(folder))
            && !EXEMPT.contains(&path.as_str())
            && !listed.contains(*path)
    };
    let has_all = |path: &&String| {
        fs::read_to_string(root().join(path)).is_ok_and(|text| words.iter().all(|word| has_word(&text, word)))
    };
    EVERYTHING.iter().filter(is_candidate).filter(has_all).cloned().collect()
}

/// The names in `.ci/run --list`.
fn steps() -> BTreeSet<String> {
    let output = Command::new(root().join(".ci/run")).arg("--list").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let steps: BTreeSet<_> =
        groups(r"(?m)^(\S+) +\S", &String::from_utf8(output.stdout).unwrap()).into_iter().collect();
    assert!(steps.contains("openapi"), "{steps:?}");
    steps
}

/// The paths of openapi.yaml.
fn routes() -> Vec<String> {
    let openapi = yaml("openapi.yaml");
    openapi["paths"].as_mapping().unwrap().keys().map(|path| path.as_str().unwrap().to_owned()).collect()
}

/// The fields of a task that clients send.
fn fields() -> Vec<String> {
    let openapi = yaml("openapi.yaml");
    let of = |schema: &str| -> Vec<String> {
        let properties = openapi["components"]["schemas"][schema]["properties"].as_mapping().unwrap().keys();
        properties.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let (task, new) = (of("Task"), of("NewTask"));
    assert!(new.len() > 5 && new.iter().all(|field| task.contains(field)), "{new:?}");
    new
}

#[test]
fn the_paths_that_are_named_exist() {
    for file in ["CONTRIBUTING.md", "SECURITY.md"] {
        let text = read(file);
        let is_path = regex(r"^[\w.][\w.<>/-]*(/|\.(json|md|rs|sql|toml|txt|yaml|yml))[\w.<>/-]*$");
        let in_code =
            groups("`([^`\n ]+)[^`\n]*`", &text).into_iter().filter(|code| is_path.is_match(code).unwrap());
        let links = groups(r"\]\(([^)#]+)", &text).into_iter().filter(|link| !link.starts_with("https://"));
        let paths: BTreeSet<_> = in_code.chain(links).collect();
        assert!(paths.len() > 2, "{file}: {paths:?}");
        for path in paths {
            expanded(&path);
        }
    }
}

#[test]
fn the_test_that_is_run_alone_exists() {
    let contributing = read("CONTRIBUTING.md");
    let found =
        regex(r"cargo test -p tests --test (\w+) (\w+)").captures(contributing.as_str()).unwrap().unwrap();
    let folder = format!("tests/{}/", &found[1]);
    let mut sources = EVERYTHING.iter().filter(|path| path.starts_with(&folder) && path.ends_with(".rs"));
    assert!(sources.any(|path| has_word(&read(path), &format!("fn {}", &found[2]))), "{}", &found[2]);
}

#[test]
fn each_file_for_a_field_has_every_field_and_no_other_file_has() {
    for path in listed("A field of a task") {
        let text = text(&path);
        for field in fields() {
            let has_field = match &*path {
                // Its type. The boolean has none of its own.
                "functions/tasks/src/fields.rs" => {
                    let typed = regex(&format!("(?i)pub (struct|enum) {}\\b", field.replace('_', "")));
                    field == "completed" || typed.is_match(text.as_str()).unwrap()
                }
                _ => has_word(&text, &field),
            };
            assert!(has_field, "{path} does not have {field}");
        }
    }
    let others = unlisted(
        "A field of a task",
        &fields(),
        &[".ci/", "bench/", "docs/", "events/", "fuzz/corpus/", "tests/"],
    );
    assert_eq!(
        others,
        Vec::<String>::new(),
        "they name every field of a task, and CONTRIBUTING.md does not list them"
    );
}

#[test]
fn each_file_for_a_route_has_every_route() {
    let routes = routes();
    assert!(routes.len() > 8, "{routes:?}");
    for path in listed("A route") {
        let text = text(&path);
        for route in &routes {
            let has_route = match &*path {
                "functions/<name>/src/lib.rs" => text.contains(&format!(".route(\"{route}\"")),
                "openapi.yaml" => text.contains(&format!("\n  {route}:")),
                "template.yaml" => ["", "/api"].iter().all(|prefix| {
                    let path = format!("{prefix}{route}");
                    text.contains(&format!("Path: {path} }}"))
                        || text.contains(&format!("Path: \"{path}\" }}"))
                }),
                "Cargo.toml" => {
                    ["", "/api"].iter().all(|prefix| text.contains(&format!("\n\"{prefix}{route}\" = ")))
                }
                "events/<name>-<case>.json" => text.contains(&format!("\"ANY {route}\"")),
                "events/expected.json" => expanded("events/<name>-<case>.json").iter().any(|event| {
                    let name = event.trim_start_matches("events/");
                    text.contains(&format!("\"{name}\"")) && read(event).contains(&format!("\"ANY {route}\""))
                }),
                // By the test that CONTRIBUTING.md names.
                "tests/api/errors.rs" => {
                    let test = "an_unknown_method_is_405_and_allow_names_the_others";
                    part("A route").contains(test) && has_word(&text, &format!("fn {test}"))
                }
                // The page's own files are no concern of callers.
                "README.md" => {
                    route == "/docs/{file}"
                        || text.contains(&format!(" {route}`"))
                        || text.contains(&format!("`{route}`"))
                }
                _ => panic!("this test does not know how {path} has a route"),
            };
            assert!(has_route, "{path} does not have {route}");
        }
    }
}

#[test]
fn each_file_for_a_function_names_every_function_and_no_other_file_does() {
    let functions = functions();
    assert_eq!(functions.len(), 7, "{functions:?}");
    for path in listed("A function") {
        if path.contains("<name>") {
            // Its own, which is there for each.
            expanded(&path);
            continue;
        }
        let text = text(&path);
        for function in &functions {
            assert!(has_word(&text, function), "{path} does not name {function}");
        }
    }
    let others = unlisted("A function", &functions, &["docs/", "events/", "fuzz/corpus/", "tests/"]);
    let of_routes: BTreeSet<_> = listed("A route").into_iter().collect();
    let others: Vec<_> = others.into_iter().filter(|path| !of_routes.contains(path)).collect();
    assert_eq!(
        others,
        Vec::<String>::new(),
        "they name every function, and CONTRIBUTING.md does not list them"
    );
}

#[test]
fn each_table_of_a_migration_has_a_grant_in_operations_md() {
    assert!(listed("A migration").contains(&"docs/operations.md".to_owned()));
    let operations = read("docs/operations.md");
    let grants = groups(r"GRANT [A-Z, a-z_()]+ ON ([a-z_, ]+) TO todo_functions", &operations).join(", ");
    let tables = groups(r"(?m)^CREATE TABLE (\w+)", &text("migrations/V<n>__<what>.sql"));
    assert!(tables.len() > 2, "{tables:?}");
    for table in tables {
        assert!(has_word(&grants, &table), "docs/operations.md grants nothing on {table}");
    }
}

#[test]
fn ci_yml_runs_each_step_once_and_contributing_md_names_steps_that_exist() {
    let steps = steps();
    let ci = yaml(".github/workflows/ci.yml");
    let include = ci["jobs"]["steps"]["strategy"]["matrix"]["include"].as_sequence().unwrap();
    let mut in_ci = BTreeMap::new();
    for step in include.iter().flat_map(|job| job["steps"].as_str().unwrap().split(' ')) {
        *in_ci.entry(step.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(in_ci, steps.iter().map(|step| (step.clone(), 1)).collect(), "ci.yml");

    let named = groups(r"\.ci/run ([a-z][a-z-]*)", &read("CONTRIBUTING.md"));
    assert!(!named.is_empty());
    for step in named {
        assert!(steps.contains(&step), "CONTRIBUTING.md: there is no step {step}");
    }
}

#[test]
fn an_unknown_step_of_ci_is_refused_before_anything_runs() {
    let output = Command::new(root().join(".ci/run")).args(["fmt", "nonsense"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("There is no step nonsense. The steps are:\n") && said.contains("\nfmt "),
        "{said}"
    );
}

/// GitHub passes over a file that it cannot read.
#[test]
fn the_files_of_github_can_be_read_and_its_jobs_may_only_read() {
    let of_github: Vec<_> =
        EVERYTHING.iter().filter(|path| path.starts_with(".github/") && path.ends_with(".yml")).collect();
    assert!(of_github.len() > 3, "{of_github:?}");
    for file in of_github {
        assert!(yaml(file).as_mapping().is_some(), "{file}");
    }
    let ci = yaml(".github/workflows/ci.yml");
    assert_eq!(yaml_serde::to_string(&ci["permissions"]).unwrap(), "contents: read\n");
    for (name, job) in ci["jobs"].as_mapping().unwrap() {
        assert!(job["timeout-minutes"].as_i64().is_some(), "{name:?}");
    }
    for update in yaml(".github/dependabot.yml")["updates"].as_sequence().unwrap() {
        let directories =
            update["directories"].as_sequence().cloned().unwrap_or_else(|| vec![update["directory"].clone()]);
        for directory in directories {
            assert!(
                root().join(directory.as_str().unwrap().trim_start_matches('/')).is_dir(),
                "{directory:?}"
            );
        }
    }
}
