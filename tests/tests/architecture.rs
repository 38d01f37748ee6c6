//! The shape of the workspace, held: which crate may use which, what must
//! stay out of where, and who may name a backend.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a manifest that cannot be read has failed the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// A crate, and the crates of the workspace that it may use.
const MAY_USE: [(&str, &[&str]); 8] = [
    ("shared", &[]),
    ("api", &["shared"]),
    ("worker", &["shared"]),
    ("train", &["shared", "worker"]),
    ("finetune", &["shared", "train", "worker"]),
    ("openapi", &["api"]),
    ("cli", &["api", "finetune", "openapi", "shared", "train", "worker"]),
    ("tests", &["api", "cli", "openapi", "shared", "train", "worker"]),
];

/// Foreign crates by the start of their name, and the only crates of the
/// workspace that may use them.
const ONLY_IN: [(&str, &[&str]); 20] = [
    ("actix", &["api", "cli", "tests"]),
    ("utoipa", &["api", "openapi"]),
    ("ort", &["worker"]),
    ("burn", &["finetune"]),
    ("safetensors", &["finetune"]),
    ("ndarray", &["finetune", "train"]),
    ("argmin", &["train"]),
    ("faer", &["train"]),
    ("csv", &["train"]),
    ("rayon", &["finetune", "train"]),
    ("tar", &["train"]),
    ("landlock", &["worker"]),
    ("seccompiler", &["worker"]),
    ("pulp", &["finetune", "worker"]),
    ("rusqlite", &["shared", "tests"]),
    ("redis", &["shared", "tests"]),
    ("deadpool", &["shared", "tests"]),
    ("reqwest", &["shared", "tests"]),
    ("clap", &["cli"]),
    ("opentelemetry", &["shared", "tests"]),
];

/// Types that name a backend, and the places that may know them.
const BACKENDS: [&str; 2] = ["SqliteStore", "RedisStore"];
const KNOW_BACKENDS: [&str; 3] = ["shared", "cli/src/wiring", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn manifest(folder: &Path) -> Table {
    fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

fn members() -> Vec<String> {
    let workspace = manifest(&root());
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// The names of every table of dependencies: for use, tests, builds, targets.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(Value::as_table);
    tables.extend(targets.into_iter().flat_map(|each| each.values().filter_map(Value::as_table)));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let named = tables.into_iter().flat_map(|table| {
        kinds.iter().filter_map(|kind| table.get(*kind)).filter_map(Value::as_table)
    });
    named.flat_map(Table::keys).cloned().collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_member_of_the_workspace_has_its_rule() {
    let ruled: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(members().into_iter().collect::<BTreeSet<_>>(), ruled);
}

#[test]
fn crates_use_only_the_crates_below_them() {
    for (member, allowed) in MAY_USE {
        let used = dependencies(&manifest(&root().join(member)));
        for name in used.iter().filter_map(|name| name.strip_prefix("aisle-")) {
            assert!(allowed.contains(&name), "{member} must not use {name}");
        }
    }
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    for member in members() {
        for name in dependencies(&manifest(&root().join(&member))) {
            for (prefix, allowed) in ONLY_IN {
                let banned = name == prefix || name.starts_with(&format!("{prefix}-"));
                assert!(
                    !banned || allowed.contains(&member.as_str()),
                    "{member} must not use {name}: only {allowed:?} may"
                );
            }
        }
    }
}

#[test]
fn every_member_inherits_the_lints_and_the_versions() {
    for member in members() {
        let manifest = manifest(&root().join(&member));
        let inherited = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(inherited, Some(&Value::Boolean(true)), "{member} has lints of its own");
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(kind).and_then(Value::as_table) else { continue };
            for (name, how) in table {
                let inherited = how.get("workspace") == Some(&Value::Boolean(true));
                assert!(inherited, "{member}: {name} has a version of its own");
            }
        }
    }
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_guarantee_of_the_readme_names_tests_or_targets_that_exist() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (readme, makefile) = (read("README.md"), read("Makefile"));
    let table = readme.split("\n## ").find(|part| part.starts_with("Guarantees")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 20, "only {} guarantees", rows.len());
    for row in rows {
        let columns: Vec<&str> = row.split('|').collect();
        // What only a long run shows stands in the last column.
        let shown_by = if columns[2].trim().is_empty() { columns[3] } else { columns[2] };
        let shown_by: Vec<&str> = quoted(shown_by).collect();
        assert!(!shown_by.is_empty(), "nothing shows: {row}");
        for command in shown_by {
            if let Some(target) = command.strip_prefix("make ") {
                assert!(makefile.contains(&format!("\n{target}:")), "there is no `{command}`");
                continue;
            }
            let mut words = command.split(' ').peekable();
            let package = words.next_if_eq(&"-p").and_then(|_| words.next());
            let folder = package.unwrap_or("aisle-tests").strip_prefix("aisle-").unwrap();
            let suite = words.next_if_eq(&"--test").and_then(|_| words.next());
            let place = suite.map_or("src".to_owned(), |suite| format!("tests/{suite}"));
            let files = rust_files(&root().join(folder).join(place));
            let filter = words.next().unwrap_or_default().replace("::", "/");
            let is_there = files.iter().any(|file| {
                let text = fs::read_to_string(file).unwrap();
                file.to_string_lossy().contains(&filter) || text.contains(&filter)
            });
            assert!(is_there, "no test answers to `{command}`");
        }
    }
}

#[test]
fn only_the_wiring_knows_which_store_is_in_use() {
    for member in members() {
        for file in rust_files(&root().join(&member)) {
            let place = file.strip_prefix(root()).unwrap().to_path_buf();
            // Either the module's folder, or the module as one file.
            let module = place.with_extension("");
            let is_test = module.iter().any(|part| part == "tests");
            let may_know = is_test || KNOW_BACKENDS.iter().any(|known| module.starts_with(known));
            let text = fs::read_to_string(&file).unwrap();
            for backend in BACKENDS {
                let named = !may_know && text.contains(backend);
                assert!(!named, "{} names {backend}", place.display());
            }
        }
    }
}

#[test]
fn an_image_is_built_from_every_crate() {
    let members = manifest(&root())["workspace"]["members"].as_array().unwrap().clone();
    let sent = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let sent: BTreeSet<&str> = sent.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for member in members {
        let folder = Path::new(member.as_str().unwrap()).iter().next().unwrap();
        assert!(sent.contains(folder.to_str().unwrap()), "{member} is not sent to the builder");
    }
}
